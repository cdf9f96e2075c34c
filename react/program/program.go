// Package program runs a program of the user's: JSON goes in on its standard
// input, lines of its output come out for a log.
package program

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dewpoint-data/dewpoint/react/secret"
)

// Program is a program, as the configuration has it.
type Program struct {
	// Command is the program and its arguments. No shell is between.
	Command []string `yaml:"command"`
	// Dir is where it runs, the working directory if empty.
	Dir string `yaml:"dir"`
	// Env are variables for it, beside those it always has.
	Env map[string]secret.Text `yaml:"env"`
}

// Validate finds mistakes.
func (p *Program) Validate() error {
	if len(p.Command) == 0 || p.Command[0] == "" {
		return errors.New("command is empty: give the program and its arguments as a list")
	}
	for k := range p.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") {
			return fmt.Errorf("env: %q is no name of a variable", k)
		}
	}
	return nil
}

// Inherited are the variables of dewpoint's own environment that a program has:
// no credentials among them.
func Inherited() []string {
	return []string{"PATH", "HOME", "USER", "TMPDIR", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"}
}

// What is kept of the output, and how long a program may take to end itself.
const (
	maxLines = 1000
	maxLine  = 4096
	mercy    = 5 * time.Second
)

// Run runs the program with a value as JSON on its standard input and returns
// when it has ended, by itself or because ctx has. With it end all processes of
// its group: those it left behind, and those it started when it is stopped. line
// is called with each line that it prints, one at a time.
func (p *Program) Run(ctx context.Context, input any, env map[string]string, line func(string)) error {
	in, err := json.Marshal(input)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, p.Command[0], p.Command[1:]...)
	cmd.Dir, cmd.Stdin = p.Dir, bytes.NewReader(append(in, '\n'))
	if cmd.Env, err = p.environment(env); err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = mercy
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		w.Close()
		return err
	}
	w.Close()
	var wg sync.WaitGroup
	wg.Go(func() { lines(r, line) })
	err = cmd.Wait()
	// Nobody is left of the group when this returns an error.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	// Who left the group may still hold the pipe.
	_ = r.SetReadDeadline(time.Now().Add(time.Second))
	wg.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s was stopped: %w", p.Command[0], context.Cause(ctx))
	case errors.As(err, &exit):
		return fmt.Errorf("%s: %s", p.Command[0], exit.String())
	}
	return err
}

func (p *Program) environment(env map[string]string) ([]string, error) {
	all := map[string]string{}
	for _, k := range Inherited() {
		if v, ok := os.LookupEnv(k); ok {
			all[k] = v
		}
	}
	maps.Copy(all, env)
	for k, s := range p.Env {
		v, err := s.Value()
		if err != nil {
			return nil, fmt.Errorf("env: %s: %w", k, err)
		}
		all[k] = v
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, k+"="+all[k])
	}
	return out, nil
}

// lines reads lines until the end and hands on the first ones.
func lines(r io.Reader, line func(string)) {
	b := bufio.NewReaderSize(r, maxLine)
	for n := 0; ; n++ {
		text, err := b.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) {
			var rest []byte
			head := string(text)
			for errors.Is(err, bufio.ErrBufferFull) {
				rest, err = b.ReadSlice('\n')
			}
			_, text = rest, []byte(head)
		}
		switch s := strings.TrimRight(string(text), "\r\n"); {
		case s == "" || n > maxLines:
		case n == maxLines:
			line("and more lines, which are left out")
		default:
			line(strings.ToValidUTF8(s, "\uFFFD"))
		}
		if err != nil {
			return
		}
	}
}

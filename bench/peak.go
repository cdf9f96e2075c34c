package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// output runs a command and returns what it printed and the most memory, in
// MB, that it had resident. The kernel's own account of a process that has
// ended counts what its parent had when it was started, so /proc is asked
// while it runs; where there is none, the kernel's account has to do.
func output(cmd *exec.Cmd) (out []byte, peakMB float64, err error) {
	var b bytes.Buffer
	cmd.Stdout = &b
	if cmd.Stderr == nil {
		cmd.Stderr = &b
	}
	if err := cmd.Start(); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", cmd, err)
	}
	ended, peak := make(chan struct{}), make(chan float64)
	go func() {
		top := 0.0
		for {
			select {
			case <-ended:
				peak <- top
				return
			case <-time.After(10 * time.Millisecond):
				top = max(top, residentPeak(cmd.Process.Pid))
			}
		}
	}()
	err = cmd.Wait()
	close(ended)
	if peakMB = <-peak; peakMB == 0 {
		peakMB = float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) / 1024
	}
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", cmd, err, b.Bytes())
	}
	return b.Bytes(), peakMB, err
}

// residentPeak is the most that a process had resident so far, in MB; 0 where
// nobody knows.
func residentPeak(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	var kb float64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		return 0
	}
	return kb / 1024
}

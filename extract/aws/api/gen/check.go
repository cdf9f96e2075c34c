package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
)

//go:embed truth.py
var truth string

// check asks botocore's own engine for every service, variant, region and
// kind of endpoint and compares what the table says.
func (p *places) check(w *wheel, python, cache string) error {
	// What botocore needs is downloaded as wheels, from which Python imports.
	site := filepath.Join(cache, "botocore-"+botocore.version)
	if _, err := os.Stat(site); err != nil {
		cmd := exec.Command(python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--only-binary=:all:", "-d", site, w.file)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
		}
	}
	wheels, err := filepath.Glob(filepath.Join(site, "*.whl"))
	if err != nil {
		return err
	}
	type asked struct {
		question
		region     string
		fips, dual bool
	}
	var in bytes.Buffer
	var all []asked
	enc := json.NewEncoder(&in)
	for _, q := range p.questions {
		for _, part := range p.table.Partitions {
			for _, region := range part.Regions {
				for i := range 4 {
					a := asked{q, region, i&1 != 0, i&2 != 0}
					all = append(all, a)
					err := enc.Encode(map[string]any{
						"service": q.svc.Name,
						"params":  parameters(q.params, region, a.fips, a.dual, q.own),
					})
					if err != nil {
						return err
					}
				}
			}
		}
	}
	cmd := exec.Command(python, "-c", truth, w.file)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+strings.Join(wheels, string(os.PathListSeparator)))
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("truth.py: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	differ, refused, plain := 0, 0, 0
	for _, a := range all {
		if !lines.Scan() {
			return fmt.Errorf("truth.py answers too little")
		}
		var want struct{ URL, Name, Region, Err string }
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			return err
		}
		o := awsapi.EndpointOptions{FIPS: a.fips, DualStack: a.dual}
		if a.own {
			o.AccountID = account
		}
		got, err := p.table.Resolve(a.svc, &api.Operation{Variant: a.variant}, a.region, o)
		if want.Err != "" {
			refused++
			if err == nil {
				differ++
				fmt.Fprintf(os.Stderr, "%s in %s: %s, botocore: %s\n", a.svc.Name, a.region, got.URL, want.Err)
			}
			continue
		}
		if want.Name == "" {
			want.Name = a.svc.SigningName
		}
		if want.Region == "" {
			want.Region = a.region
		}
		if err != nil || got != (awsapi.Endpoint{URL: want.URL, SigningName: want.Name, SigningRegion: want.Region}) {
			differ++
			fmt.Fprintf(os.Stderr, "%s in %s: %+v %v, botocore: %+v\n", a.svc.Name, a.region, got, err, want)
		}
		if !a.fips && !a.dual && !a.own && strings.HasPrefix(want.URL, "https://"+a.svc.EndpointPrefix+"."+a.region+".") {
			plain++
		}
	}
	fmt.Printf("%d endpoints checked against botocore: %d differ, %d refused by both, %d plain\n", len(all), differ, refused, plain)
	if differ > 0 {
		return fmt.Errorf("%d endpoints differ from botocore's", differ)
	}
	return nil
}

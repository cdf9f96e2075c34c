package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	compute "google.golang.org/api/compute/v1"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/extract/gcp"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/duckdb"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// Compute Engine pages hold at most 500 instances.
const computePage = 500

var (
	computeProjects = [...]string{"bench-one", "bench-two"}
	computeZones    = [...]string{"europe-west3-a", "europe-west3-b", "us-central1-a", "us-central1-b"}
)

// appendComputePage appends a page of an aggregated list, without spaces as
// prettyPrint=false has it: the instances are in one zone, the others say that
// they have none on the page.
func appendComputePage(b []byte, project string, first, n int, token string) []byte {
	b = fmt.Appendf(b, `{"kind":"compute#instanceAggregatedList","id":"projects/%s/aggregated/instances","items":{`, project)
	at := first / computePage % len(computeZones)
	for i, z := range computeZones {
		if i > 0 {
			b = append(b, ',')
		}
		if i != at {
			b = fmt.Appendf(b, `"zones/%[1]s":{"warning":{"code":"NO_RESULTS_ON_PAGE","message":"There are no results for scope 'zones/%[1]s' on this page.","data":[{"key":"scope","value":"zones/%[1]s"}]}}`, z)
			continue
		}
		b = fmt.Appendf(b, `"zones/%s":{"instances":[`, z)
		for j := first; j < first+n; j++ {
			if j > first {
				b = append(b, ',')
			}
			b = appendComputeInstance(b, project, z, j)
		}
		b = append(b, `]}`...)
	}
	b = append(b, '}')
	if token != "" {
		b = fmt.Appendf(b, `,"nextPageToken":%q`, token)
	}
	return fmt.Appendf(b, `,"selfLink":"https://www.googleapis.com/compute/v1/projects/%s/aggregated/instances"}`, project)
}

// appendComputeInstance appends an instance as the API writes one of a managed
// group, about 2.2 KB.
func appendComputeInstance(b []byte, project, zone string, i int) []byte {
	base := "https://www.googleapis.com/compute/v1/projects/" + project
	inZone := base + "/zones/" + zone
	region := zone[:len(zone)-2]
	made := start.Add(time.Duration(i) * 7 * time.Second).In(time.FixedZone("", -8*3600)).Format("2006-01-02T15:04:05.000-07:00")
	name := fmt.Sprintf("web-%d", i)
	return fmt.Appendf(b, `{"kind":"compute#instance","id":"%[1]d","creationTimestamp":"%[2]s","name":"%[3]s","description":"","tags":{"items":["http-server","https-server"],"fingerprint":"6smc4R4d39I="},`+
		`"machineType":"%[4]s/machineTypes/n2-standard-%[5]d","status":"%[6]s","zone":"%[4]s","canIpForward":false,`+
		`"networkInterfaces":[{"kind":"compute#networkInterface","network":"%[7]s/global/networks/net-%[8]d","subnetwork":"%[7]s/regions/%[9]s/subnetworks/sub-%[8]d","networkIP":"10.%[10]d.%[11]d.%[12]d","name":"nic0",`+
		`"accessConfigs":[{"kind":"compute#accessConfig","type":"ONE_TO_ONE_NAT","name":"External NAT","natIP":"34.%[10]d.%[11]d.%[12]d","networkTier":"PREMIUM"}],"fingerprint":"lXqAMpZJPBQ=","stackType":"IPV4_ONLY"}],`+
		`"disks":[{"kind":"compute#attachedDisk","type":"PERSISTENT","mode":"READ_WRITE","source":"%[4]s/disks/%[3]s","deviceName":"persistent-disk-0","index":0,"boot":true,"autoDelete":true,`+
		`"licenses":["https://www.googleapis.com/compute/v1/projects/debian-cloud/global/licenses/debian-12-bookworm"],"interface":"SCSI","guestOsFeatures":[{"type":"UEFI_COMPATIBLE"},{"type":"VIRTIO_SCSI_MULTIQUEUE"},{"type":"GVNIC"}],"diskSizeGb":"20","shieldedInstanceInitialState":{},"architecture":"X86_64"}],`+
		`"metadata":{"kind":"compute#metadata","fingerprint":"9KpQXYvvcPA=","items":[{"key":"startup-script","value":"#! /bin/bash\nsystemctl start web"},{"key":"created-by","value":"projects/1/zones/%[13]s/instanceGroupManagers/web"}]},`+
		`"serviceAccounts":[{"email":"web@%[14]s.iam.gserviceaccount.com","scopes":["https://www.googleapis.com/auth/cloud-platform"]}],"selfLink":"%[4]s/instances/%[3]s",`+
		`"scheduling":{"onHostMaintenance":"MIGRATE","automaticRestart":true,"preemptible":false,"provisioningModel":"STANDARD"},"cpuPlatform":"Intel Ice Lake","labels":{"env":"prod","owner":"team-%[8]d","app":"web"},"labelFingerprint":"a9CjOiMWkkc=",`+
		`"startRestricted":false,"deletionProtection":false,"shieldedInstanceConfig":{"enableSecureBoot":false,"enableVtpm":true,"enableIntegrityMonitoring":true},"shieldedInstanceIntegrityPolicy":{"updateAutoLearnPolicy":true},"fingerprint":"AI3YGG0lB7c=","lastStartTimestamp":"%[2]s","satisfiesPzi":true}`,
		4_000_000_000_000_000_000+i, made, name, inZone, 2<<(i%3), [...]string{"RUNNING", "RUNNING", "TERMINATED"}[i%3], base, i%10, region,
		i>>16&255, i>>8&255, i&255, zone, project)
}

// serveCompute answers the lists of instances and of projects on loopback
// until stop is called. Pages are made once.
func serveCompute(total int) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	per := total / len(computeProjects)
	pages := map[string][]byte{}
	for n, p := range computeProjects {
		for first := 0; first < per; first += computePage {
			token, key := "", p
			if first > 0 {
				key = p + "/" + strconv.Itoa(first)
			}
			if first+computePage < per {
				token = strconv.Itoa(first + computePage)
			}
			pages[key] = appendComputePage(nil, p, n*per+first, min(computePage, per-first), token)
		}
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		if rest, ok := strings.CutPrefix(r.URL.Path, "/compute/v1/projects/"); ok && strings.HasSuffix(rest, "/aggregated/instances") {
			key, _, _ := strings.Cut(rest, "/")
			if t := r.URL.Query().Get("pageToken"); t != "" {
				key += "/" + t
			}
			_, _ = w.Write(pages[key])
			return
		}
		if id, ok := strings.CutPrefix(r.URL.Path, "/v3/projects/"); ok {
			fmt.Fprintf(w, `{"name":"projects/%d","projectId":%q,"state":"ACTIVE","displayName":%[2]q}`, 1000+len(id), id)
			return
		}
		http.NotFound(w, r)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l) // always http.ErrServerClosed after Close
	}()
	return "http://" + l.Addr().String(), func() { srv.Close(); <-done }, nil
}

// computeSource reads the instances of the projects.
func computeSource(addr string) (*gcp.Source, error) {
	cat, err := clouds.Load(catalog.Options{Only: []string{"gcp_compute_instance"}})
	if err != nil {
		return nil, err
	}
	e, ok := cat.Entry("gcp_compute_instance")
	if !ok {
		return nil, errors.New("no kind gcp_compute_instance")
	}
	limiter := extract.NewLimiter()
	c, err := gcp.NewClient(context.Background(), gcp.Options{
		Credentials: gcp.CredentialsConfig{Anonymous: true}, Endpoints: map[string]string{"*": addr}, Limiter: limiter,
	})
	if err != nil {
		return nil, err
	}
	return gcp.NewSource(gcp.SourceConfig{
		Client: c, Projects: gcp.ProjectsConfig{Projects: computeProjects[:]}, Catalogue: cat, Entries: []*catalog.Entry{e}, Limiter: limiter,
	})
}

// dropped counts batches and drops them.
type dropped struct{ rows, edges atomic.Int64 }

// Write implements extract.Writer.
func (d *dropped) Write(_ context.Context, b *schema.Batch) error {
	d.rows.Add(b.Rows.NumRows())
	if b.Edges != nil {
		d.edges.Add(b.Edges.NumRows())
	}
	b.Release()
	return nil
}

// Scope implements extract.Writer.
func (d *dropped) Scope(_ context.Context, r schema.ScopeResult) error {
	if r.State != schema.Complete {
		return fmt.Errorf("%s: %s: %s", r.Scope.ID(), r.State, r.Error)
	}
	return nil
}

// Problem implements extract.Writer.
func (d *dropped) Problem(_ context.Context, ps ...schema.Problem) error {
	for _, p := range ps {
		return fmt.Errorf("problem %+v", p)
	}
	return nil
}

// computeMain runs in a process of its own, so that the server's time is not
// in its: it reads all instances and prints the CPU seconds that took, or
// those of DuckDB's insert alone, and how many there are.
func computeMain(args []string) error {
	addr, mode, db := args[1], args[2], args[3]
	src, err := computeSource(addr)
	if err != nil {
		return err
	}
	defer src.Close()
	ctx := context.Background()
	begun := cpuSeconds()
	switch mode {
	case "arrow":
		d := &dropped{}
		if err := extract.Schedule(ctx, []extract.Source{src}, d, 4); err != nil {
			return err
		}
		fmt.Println(cpuSeconds()-begun, d.rows.Load())
		return nil
	case "alone":
		k := &kept{}
		if err := extract.Schedule(ctx, []extract.Source{src}, k, 4); err != nil {
			return err
		}
		cpu, err := k.insertAlone(db)
		if err != nil {
			return err
		}
		fmt.Println(cpu, k.rows.Load())
		return nil
	}
	sink, err := duckdb.Open(db, duckdb.Options{})
	if err != nil {
		return err
	}
	defer sink.Close()
	r, err := workflow.Sync(ctx, ctx, workflow.Options{Sources: []extract.Source{src}, Sinks: []sinks.Sink{sink}, Workers: 4, Version: "bench"})
	if err != nil {
		return err
	}
	if !r.Complete() {
		return fmt.Errorf("the sync is not complete: %+v", r.Incomplete)
	}
	rows := int64(0)
	for _, k := range r.Sinks[0].Summary.Kinds {
		rows += k.Rows
	}
	fmt.Println(cpuSeconds()-begun, rows)
	return nil
}

// computeFigures measures 100,000 instances of two projects against the
// decoder of Google's own client.
func computeFigures(total int) ([]figure, error) {
	addr, stop, err := serveCompute(total)
	if err != nil {
		return nil, err
	}
	defer stop()
	page := appendComputePage(nil, computeProjects[0], 0, computePage, "next")
	typed, err := rate(computePage, func() error {
		var out compute.InstanceAggregatedList
		// As its gensupport.DecodeResponse does.
		if err := json.NewDecoder(bytes.NewReader(page)).Decode(&out); err != nil {
			return err
		}
		if n := len(out.Items["zones/"+computeZones[0]].Instances); n != computePage {
			return fmt.Errorf("%d of %d instances", n, computePage)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "dewpoint-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	databases := 0
	read := func(mode string) (float64, error) {
		databases++
		cmd := exec.Command(self, "compute-read", addr, mode, filepath.Join(dir, fmt.Sprint(databases, ".duckdb")))
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return 0, fmt.Errorf("%s: %w", cmd, err)
		}
		var cpu float64
		var rows int
		if _, err := fmt.Sscan(string(out), &cpu, &rows); err != nil || rows != total {
			return 0, fmt.Errorf("%d of %d rows: %v", rows, total, err)
		}
		return float64(rows) / cpu, nil
	}
	best := map[string]float64{}
	for range 3 {
		for _, mode := range []string{"arrow", "duckdb", "alone"} {
			r, err := read(mode)
			if err != nil {
				return nil, err
			}
			best[mode] = max(best[mode], r)
		}
	}
	arrow, duck, alone := best["arrow"], best["duckdb"], best["alone"]
	per := func(a float64) string { return fmt.Sprintf("%.0f / %.0f per CPU-s", a, typed) }
	return []figure{
		{what: fmt.Sprintf("%d Compute instances, list to Arrow / compute/v1's decoding alone", total), value: arrow / typed, unit: "x", limit: 4, least: true, note: per(arrow)},
		{what: "the same into DuckDB / compute/v1's decoding alone", value: duck / typed, unit: "x", limit: 2, least: true, note: per(duck)},
		{what: "DuckDB's own insert of those rows, read already and without edges / compute/v1's decoding alone", value: alone / typed, unit: "x", note: per(alone)},
	}, nil
}

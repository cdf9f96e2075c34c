package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/extract/k8s"
	"github.com/dewpoint-data/dewpoint/extract/k8s/kubetest"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/duckdb"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// podsPage is how many pods a list brings at once, client-go's and ours.
const podsPage = 500

// kubernetesSource reads the pods of a namespace.
func kubernetesSource(ctx context.Context, kubeconfig, namespace string) (*k8s.Source, error) {
	limiter := extract.NewLimiter()
	cs, err := k8s.Open(ctx, k8s.Options{Kubeconfig: kubeconfig, Namespaces: []string{namespace}, Limiter: limiter, StateDir: "-", PageItems: podsPage})
	if err != nil {
		return nil, err
	}
	cat, err := clouds.Load(catalog.Options{Only: []string{"kubernetes_pod"}})
	if err != nil {
		return nil, err
	}
	e, ok := cat.Entry("kubernetes_pod")
	if !ok {
		return nil, errors.New("no kind kubernetes_pod")
	}
	return k8s.NewSource(k8s.SourceConfig{Clusters: cs, Catalogue: cat, Entries: []*catalog.Entry{e}, Limiter: limiter})
}

// kubernetesMain runs in a process of its own, so that the server's time is
// not in its: it reads all pods and prints the CPU seconds that took and how
// many there are.
func kubernetesMain(args []string) error {
	mode, kubeconfig, namespace := args[1], args[2], args[3]
	ctx := context.Background()
	var rows int64
	begun := 0.0
	switch mode {
	case "json", "protobuf":
		cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return err
		}
		cfg.QPS, cfg.ContentType = -1, "application/json"
		if mode == "protobuf" {
			cfg.ContentType = "application/vnd.kubernetes.protobuf"
		}
		cfg.AcceptContentTypes = cfg.ContentType
		c, err := kubernetes.NewForConfig(cfg)
		if err != nil {
			return err
		}
		begun = cpuSeconds()
		for token := ""; ; {
			l, err := c.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{Limit: podsPage, Continue: token})
			if err != nil {
				return err
			}
			rows += int64(len(l.Items))
			if token = l.Continue; token == "" {
				break
			}
		}
	case "arrow", "duckdb", "alone":
		src, err := kubernetesSource(ctx, kubeconfig, namespace)
		if err != nil {
			return err
		}
		defer src.Close()
		begun = cpuSeconds()
		if mode == "arrow" {
			d := &dropped{}
			if err := extract.Schedule(ctx, []extract.Source{src}, d, 4); err != nil {
				return err
			}
			rows = d.rows.Load()
			break
		}
		if mode == "alone" {
			k := &kept{}
			if err := extract.Schedule(ctx, []extract.Source{src}, k, 4); err != nil {
				return err
			}
			alone, err := k.insertAlone(args[4])
			if err != nil {
				return err
			}
			rows, begun = k.rows.Load(), cpuSeconds()-alone
			break
		}
		sink, err := duckdb.Open(args[4], duckdb.Options{})
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
		for _, k := range r.Sinks[0].Summary.Kinds {
			rows += k.Rows
		}
	default:
		return fmt.Errorf("no mode %q", mode)
	}
	fmt.Println(cpuSeconds()-begun, rows)
	return nil
}

// podsRead is what one reading of the pods took.
type podsRead struct{ rate, peakMB float64 }

// kubernetesFigures measures the pods of a real API server against the lists
// of client-go, which decode and keep nothing.
func kubernetesFigures(total int) ([]figure, error) {
	s, err := kubetest.Start(kubetest.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	ctx := context.Background()
	few := total / 10
	for namespace, n := range map[string]int{"many": total, "few": few} {
		if err := s.Create(ctx, "/api/v1/namespaces", fmt.Sprintf(`{"metadata":{"name":%q}}`, namespace)); err != nil {
			return nil, err
		}
		if err := s.Pods(ctx, namespace, n-1); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp("", "dewpoint-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := s.Kubeconfig(kubeconfig, kubetest.Admin); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	databases := 0
	read := func(mode, namespace string, want int) (podsRead, error) {
		databases++
		cmd := exec.Command(self, "kubernetes-read", mode, kubeconfig, namespace, filepath.Join(dir, fmt.Sprint(databases, ".duckdb")))
		cmd.Stderr = os.Stderr
		out, peak, err := output(cmd)
		if err != nil {
			return podsRead{}, err
		}
		var cpu float64
		var rows int
		if _, err := fmt.Sscan(string(out), &cpu, &rows); err != nil || rows != want {
			return podsRead{}, fmt.Errorf("%s: %d of %d pods: %v", mode, rows, want, err)
		}
		return podsRead{float64(rows) / cpu, peak}, nil
	}
	// The best of three each, taking turns: the machine's other work comes and
	// goes.
	best := map[string]podsRead{}
	for range 3 {
		for _, mode := range []string{"json", "protobuf", "arrow", "duckdb", "alone"} {
			r, err := read(mode, "many", total)
			if err != nil {
				return nil, err
			}
			if r.rate > best[mode].rate {
				best[mode] = r
			}
		}
	}
	small, err := read("arrow", "few", few)
	if err != nil {
		return nil, err
	}
	smallDuck, err := read("duckdb", "few", few)
	if err != nil {
		return nil, err
	}
	per := func(a, b string) string {
		return fmt.Sprintf("%.0f / %.0f per CPU-s", best[a].rate, best[b].rate)
	}
	return []figure{
		{what: fmt.Sprintf("%d pods, list to Arrow / client-go's JSON list alone", total), value: best["arrow"].rate / best["json"].rate, unit: "x", limit: 4, least: true, note: per("arrow", "json")},
		{what: "the same / client-go's protobuf list alone", value: best["arrow"].rate / best["protobuf"].rate, unit: "x", limit: 0.8, least: true, note: per("arrow", "protobuf")},
		{what: "the same into DuckDB with edges / client-go's JSON list alone", value: best["duckdb"].rate / best["json"].rate, unit: "x", limit: 2.5, least: true, note: per("duckdb", "json")},
		{what: "DuckDB's own insert of those rows, read already and without edges / client-go's JSON list alone", value: best["alone"].rate / best["json"].rate, unit: "x", note: per("alone", "json")},
		{what: fmt.Sprintf("peak memory at %d pods / at %d, list to Arrow", total, few), value: best["arrow"].peakMB / small.peakMB, unit: "x", limit: 1.3, note: fmt.Sprintf("%.0f / %.0f MB", best["arrow"].peakMB, small.peakMB)},
		{what: fmt.Sprintf("peak memory at %d pods / at %d, into DuckDB", total, few), value: best["duckdb"].peakMB / smallDuck.peakMB, unit: "x", note: fmt.Sprintf("%.0f / %.0f MB", best["duckdb"].peakMB, smallDuck.peakMB)},
	}, nil
}

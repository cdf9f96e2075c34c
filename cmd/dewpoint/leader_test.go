package main

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
)

// TestLeaderIsCutOff cuts a leader off from the Postgres while it applies a
// plan: it makes no further call, and another process that follows it finishes
// the work, each step once.
func TestLeaderIsCutOff(t *testing.T) {
	t.Parallel()
	first := newGround(t, "")
	server, err := postgrestest.Start(postgrestest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	relay, err := server.NewRelay()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(relay.Close)
	second := *first
	second.gate = newCloudGate(t, first.moto)
	config := func(url string) string {
		return strings.NewReplacer("max_per_day: 8", "max_per_day: 100", "react:", fmt.Sprintf("sinks: [%q]\nserve: {schedule: 1m, lease: 4s, listen: \"\"}\nreact:", url),
			"expired: {", "expired: {apply: true, ").Replace(faultyConfig)
	}
	direct := server.URL("postgres")
	first.write("first.yaml", config(relay.URL(direct)))
	second.write("second.yaml", config(direct))
	const volumes = 10 // more than are acted on at once
	for i := range volumes {
		first.volume(fmt.Sprint("gone-", i), "owner=ann", "expires=2025-01-01")
	}

	var mu sync.Mutex
	tried, before := 0, 0 // calls of the first process, and until the second makes one
	reached := first.gate.through(func(op, _ string) fate {
		if op != "DeleteVolume" {
			return fate{}
		}
		mu.Lock()
		defer mu.Unlock()
		tried++
		return fate{held: true, last: true}
	})
	second.gate.through(func(op, _ string) fate {
		mu.Lock()
		defer mu.Unlock()
		if op == "DeleteVolume" && before == 0 {
			before = tried
		}
		return fate{}
	})
	serve := func(g *ground, config string) (*exec.Cmd, func() string) {
		cmd, out := g.command("serve", "-c", config)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, func() string {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				t.Errorf("dewpoint serve -c %s: %v\n%s", config, err, out)
			}
			return out.String()
		}
	}
	_, endFirst := serve(first, "first.yaml")
	select {
	case <-reached:
	case <-time.After(time.Minute):
		t.Fatalf("nothing is applied: %s", endFirst())
	}
	// The next round is due as soon as another process leads.
	if err := server.Exec(t.Context(), "postgres", "UPDATE dewpoint.syncs SET started_at = started_at - interval '2 minutes', finished_at = finished_at - interval '2 minutes'"); err != nil {
		t.Fatal(err)
	}
	_, endSecond := serve(&second, "second.yaml")
	relay.Cut()
	done := ""
	for deadline := time.Now().Add(2 * time.Minute); done != fmt.Sprint(volumes); {
		if time.Now().After(deadline) {
			t.Fatalf("%s are done\nthe first: %s\nthe second: %s", done, endFirst(), endSecond())
		}
		time.Sleep(100 * time.Millisecond)
		rows, err := server.Query(t.Context(), "postgres", "SELECT count(*) FROM dewpoint.actions WHERE state = 'done'")
		if err != nil {
			t.Fatal(err)
		}
		done = rows[0][0]
	}
	relay.Mend()
	first.wants(endFirst(), "another process leads now")
	endSecond()
	if got := second.gate.writes(); len(got) != volumes {
		t.Errorf("the second process does %s", got)
	}
	if tried != before {
		t.Errorf("the first process makes %d calls, %d of them while the second acts", tried, tried-before)
	}
}

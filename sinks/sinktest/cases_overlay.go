package sinktest

import (
	"github.com/google/go-cmp/cmp"

	"github.com/dewpoint-data/dewpoint/sinks"
)

var overlayCases = []testCase{
	{"OverlayLeavesTheEstate", testOverlay},
}

// testOverlay holds that a sync into an overlay makes of the estate what it
// would make of it in the sink, which stays as it is.
func testOverlay(h *harness) {
	over, ok := h.sink.(sinks.Overlayer)
	if !ok {
		h.Fatal("the sink makes no overlays")
	}
	if _, err := over.Overlay(h.Context(), nil); err == nil {
		h.Fatal("there is an overlay of no estate")
	}
	all := Estate()
	first, second := all[0], all[1]
	if _, err := first.Run(h.Context(), h.sink); err != nil {
		h.Fatal(err)
	}
	names := []string{"instances", "resource_history", "problems", "metrics"}
	for _, k := range second.Kinds() {
		names = append(names, k.Name)
	}
	dump := func(t Target) string {
		h.Helper()
		text, err := Dump(t, second.Kinds())
		if err != nil {
			h.Fatal(err)
		}
		return text
	}
	same := func(what, want, got string) {
		h.Helper()
		if d := cmp.Diff(want, got); d != "" {
			h.Fatalf("%s (-want +got):\n%s", what, d)
		}
	}
	old := dump(h.target)
	o, err := over.Overlay(h.Context(), names)
	if err != nil {
		h.Fatal(err)
	}
	copied := h.target
	copied.Query = func(q string) ([][]string, error) { return h.target.QueryOverlay(o, q) }
	same("the overlay", old, dump(copied))
	if _, err := second.Run(h.Context(), o); err != nil {
		h.Fatal(err)
	}
	made := dump(copied)
	same("the estate beside an overlay", old, dump(h.target))
	if err := o.Close(); err != nil {
		h.Fatal(err)
	}
	same("the estate after an overlay", old, dump(h.target))
	if _, err := second.Run(h.Context(), h.sink); err != nil {
		h.Fatal(err)
	}
	same("the overlay after a sync", dump(h.target), made)
	if o, err = over.Overlay(h.Context(), nil); err != nil {
		h.Fatalf("another overlay: %v", err)
	}
	if err := o.Close(); err != nil {
		h.Fatal(err)
	}
}

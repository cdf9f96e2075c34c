package term

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

func TestFit(t *testing.T) {
	for _, c := range []struct {
		widths []int
		keep   []bool
		total  int
		want   []int
	}{
		{[]int{5, 10}, nil, 0, []int{5, 10}},
		{[]int{5, 10}, nil, 80, []int{5, 10}},
		{[]int{5, 100}, nil, 40, []int{5, 33}},
		{[]int{50, 50, 4}, nil, 40, []int{16, 16, 4}},
		{[]int{20, 50, 4}, []bool{true, false, false}, 40, []int{20, 12, 4}},
		{[]int{20, 50, 4}, []bool{true, false, false}, 25, []int{20}},
		{[]int{20, 20, 20, 20}, nil, 30, []int{8, 9, 9}},
		{[]int{50}, nil, 5, []int{5}},
		{nil, nil, 10, nil},
	} {
		got := Fit(c.widths, c.keep, c.total)
		if !slices.Equal(got, c.want) {
			t.Errorf("Fit(%v, %d) = %v, want %v", c.widths, c.total, got, c.want)
		}
		if sum := total(got); c.total > 0 && sum > c.total {
			t.Errorf("Fit(%v, %d) takes %d cells", c.widths, c.total, sum)
		}
	}
}

func total(widths []int) int {
	n := -gap
	for _, w := range widths {
		n += w + gap
	}
	return n
}

func TestFitNeverExceedsTheScreen(t *testing.T) {
	for n := 1; n < 60; n++ {
		widths := make([]int, n)
		for i := range widths {
			widths[i] = 1 + i*i%37
		}
		for w := 1; w < 250; w += 7 {
			got := Fit(widths, nil, w)
			if total(got) > w {
				t.Fatalf("%d columns on %d cells: %v takes %d", n, w, got, total(got))
			}
			if len(got) == 0 {
				t.Fatalf("%d columns on %d cells: none is shown", n, w)
			}
		}
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	tab := NewTable("KIND", ">ROWS", "DOC").Indent(2)
	tab.Row("aws_ec2_instance", "1,204", "Describes an instance of any kind at all.")
	tab.Row("世界", "3")
	if err := tab.Write(&Screen{Out: &b, Width: 44}); err != nil {
		t.Fatal(err)
	}
	const golden = `  KIND               ROWS  DOC
  aws_ec2_instance  1,204  Describes an ins…
  世界                  3
`
	if got := b.String(); got != golden {
		t.Errorf("got\n%s\nwant\n%s", got, golden)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":               "plain",
		"a\nb\tc":             `a\nb\tc`,
		"\x1b[31mred":         `\u001b[31mred`,
		"\u202eevil":          `\u202eevil`,
		"tab\u0085ulator\x7f": `tab\u0085ulator\u007f`,
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for want, got := range map[string]string{
		"0": Count(0), "999": Count(999), "1,000": Count(1000), "-1,234,567": Count(-1234567),
		"1 row": Plural(1, "row", "rows"), "0 rows": Plural(0, "row", "rows"),
		"999 B": Bytes(999), "1.0 kB": Bytes(1000), "12.3 MB": Bytes(12_345_678), "1.0 GB": Bytes(999_999_999),
		"0.4s": Duration(400 * time.Millisecond), "42s": Duration(42 * time.Second),
		"3m07s": Duration(187 * time.Second), "1h02m": Duration(62 * time.Minute),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

package normalize

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// BenchmarkPage builds complete batches of EC2 instances: all columns, tags,
// nested JSON, edges, ids and hashes. rows/s is on one core.
func BenchmarkPage(b *testing.B) {
	const n = 1000
	for _, c := range []struct {
		name string
		spec Spec
		body []byte
	}{
		{"xml", instances(XML), instancesXML(n)},
		{"json", instances(JSON), instancesJSON(n)},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := compile(b, c.spec)
			builder := p.NewBuilder(memory.DefaultAllocator)
			builder.Begin(origin())
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, rows, err := builder.Page(c.body, nil); err != nil || rows != n {
					b.Fatal(rows, err)
				}
				builder.Flush().Release()
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(len(p.columns)), "columns")
		})
	}
}

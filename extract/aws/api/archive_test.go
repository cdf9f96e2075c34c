package api

import (
	"archive/zip"
	"strings"
	"testing"
)

// BenchmarkDecode reads the largest description from the archive.
func BenchmarkDecode(b *testing.B) {
	z, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range z.File {
		if f.Name != "ec2" {
			continue
		}
		for b.Loop() {
			data, err := read(f)
			if err != nil {
				b.Fatal(err)
			}
			if data, err = unzstd().DecodeAll(data, nil); err != nil {
				b.Fatal(err)
			}
			if _, err = Decode(data); err != nil {
				b.Fatal(err)
			}
		}
	}
}

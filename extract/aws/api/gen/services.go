package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"github.com/klauspost/compress/zstd"

	"github.com/dewpoint-data/dewpoint/extract/aws/api"
)

// services writes services.zip (a manifest, then one entry per service) and
// endpoints.json.
func services(out, cache, python string) error {
	w, err := botocore.open(cache, python)
	if err != nil {
		return err
	}
	enc, err := compressor()
	if err != nil {
		return err
	}
	places, err := newPlaces(w)
	if err != nil {
		return err
	}
	man := api.Manifest{Source: botocore.name, Version: botocore.version, SHA256: botocore.sha256, Signing: map[string][]string{}}
	var blobs [][]byte
	var names []string
	raw := 0
	for _, name := range w.dirs("botocore/data") {
		src, err := readSource(w, name)
		if err != nil {
			return err
		}
		svc, err := convert(src)
		if err != nil {
			return err
		}
		if err := places.add(src, svc); err != nil {
			return err
		}
		data := encode(svc)
		back, err := api.Decode(data)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !reflect.DeepEqual(normal(back), normal(svc)) {
			return fmt.Errorf("%s: what was written does not read as it was", name)
		}
		raw += len(data)
		man.Services++
		man.Signing[svc.SigningName] = append(man.Signing[svc.SigningName], name)
		man.Operations += len(svc.Operations)
		names = append(names, name)
		blobs = append(blobs, enc.EncodeAll(data, nil))
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	text, err := json.Marshal(man)
	if err != nil {
		return err
	}
	names, blobs = append([]string{"manifest.json"}, names...), append([][]byte{text}, blobs...)
	for i, name := range names {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return err
		}
		if _, err := f.Write(blobs[i]); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := places.check(w, python, cache); err != nil {
		return err
	}
	if err := places.write(out); err != nil {
		return err
	}
	fmt.Printf("%d services, %d operations: %d bytes, %d compressed\n", man.Services, man.Operations, raw, buf.Len())
	return os.WriteFile(filepath.Join(out, "services.zip"), buf.Bytes(), 0o644)
}

// compressor writes the same bytes for the same input.
func compressor() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20))
}

// normal makes lists that are empty nil, as reflect.DeepEqual tells them apart.
func normal(s *api.Service) *api.Service {
	for _, op := range s.Operations {
		if len(op.Errors) == 0 {
			op.Errors = nil
		}
		if p := op.Pager; p != nil && len(p.Results) == 0 {
			p.Results = nil
		}
		seen := map[*api.Shape]bool{}
		normalShape(op.Input, seen)
		normalShape(op.Output, seen)
	}
	return s
}

func normalShape(s *api.Shape, seen map[*api.Shape]bool) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	if len(s.Members) == 0 {
		s.Members = nil
	}
	if len(s.Enum) == 0 {
		s.Enum = nil
	}
	if len(s.Required) == 0 {
		s.Required = nil
	}
	for i := range s.Members {
		normalShape(s.Members[i].Shape, seen)
	}
	normalShape(s.Elem, seen)
	normalShape(s.Key, seen)
	normalShape(s.Value, seen)
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dewpoint-data/dewpoint/extract/api"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
)

// services writes services.zip (a manifest, then one entry per service) and
// endpoints.json.
func services(out, cache, python string) error {
	w, err := botocore.open(cache, python)
	if err != nil {
		return err
	}
	places, err := newPlaces(w)
	if err != nil {
		return err
	}
	man := awsapi.Manifest{Source: botocore.name, Version: botocore.version, SHA256: botocore.sha256, Signing: map[string][]string{}}
	var all []*api.Service
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
		man.Services++
		man.Signing[svc.SigningName] = append(man.Signing[svc.SigningName], name)
		man.Operations += len(svc.Operations)
		all = append(all, svc)
	}
	var buf bytes.Buffer
	if err := api.WriteArchive(&buf, man, all); err != nil {
		return err
	}
	if err := places.check(w, python, cache); err != nil {
		return err
	}
	if err := places.write(out); err != nil {
		return err
	}
	fmt.Printf("%d services, %d operations: %d bytes compressed\n", man.Services, man.Operations, buf.Len())
	return os.WriteFile(filepath.Join(out, "services.zip"), buf.Bytes(), 0o644)
}

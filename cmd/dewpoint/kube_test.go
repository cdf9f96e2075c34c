package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dewpoint-data/dewpoint/extract/k8s/kubetest"
)

type kubeKey struct{}

// kubeCommand runs a kube-apiserver, without controllers:
//
//	kube start               with the kubeconfig kube.yaml, whose contexts are admin, reader and writer
//	kube define FILE         a CustomResourceDefinition, and waits for it
//	kube create PATH FILE    an object in a collection
//	kube owned PATH FILE OF  one that the object of a path owns
//	kube patch PATH FILE     merges into an object
//	kube has PATH TEXT...    an object is there, and its document holds the texts
func kubeCommand(ts *testscript.TestScript, neg bool, args []string) {
	server := ts.Value(kubeKey{}).(**kubetest.Server)
	if len(args) == 0 || *server == nil && args[0] != "start" {
		ts.Fatalf("usage: kube start, then define, create, owned, patch, has")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	switch args[0] {
	case "start":
		s, err := kubetest.Start(kubetest.Options{Users: []string{"reader", "writer"}})
		ts.Check(err)
		ts.Defer(s.Stop)
		*server = s
		ts.Check(s.Kubeconfig(ts.MkAbs("kube.yaml"), kubetest.Admin, "reader", "writer"))
		ts.Setenv("XDG_CACHE_HOME", ts.MkAbs("cache"))
	case "define":
		ts.Check((*server).Define(ctx, ts.ReadFile(args[1])))
	case "create":
		ts.Check((*server).Create(ctx, args[1], ts.ReadFile(args[2])))
	case "owned":
		b, err := (*server).Do(ctx, "GET", args[3], nil)
		ts.Check(err)
		var owner struct{ Metadata struct{ UID string } }
		ts.Check(json.Unmarshal(b, &owner))
		ts.Check((*server).Create(ctx, args[1], strings.ReplaceAll(ts.ReadFile(args[2]), "UID", owner.Metadata.UID)))
	case "patch":
		_, err := (*server).Do(ctx, "PATCH", args[1], []byte(ts.ReadFile(args[2])))
		ts.Check(err)
	case "has":
		b, err := (*server).Do(ctx, "GET", args[1], nil)
		found := err == nil
		for _, want := range args[2:] {
			found = found && strings.Contains(string(b), want)
		}
		if found == neg {
			ts.Fatalf("%s: %v %s", args[1], err, b)
		}
	}
}

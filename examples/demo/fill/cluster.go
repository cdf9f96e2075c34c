package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"text/template"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/dewpoint-data/dewpoint/extract/k8s/kubetest"
)

// aws are the what manifests name of the filled AWS account.
type aws struct {
	Instances    []string
	Volume       string
	LoadBalancer string
}

// cluster starts an API server and creates what a manifest holds.
func cluster(ctx context.Context, manifest string, ids aws) (*kubetest.Server, error) {
	s, err := kubetest.Start(kubetest.Options{})
	if err != nil {
		return nil, err
	}
	if err := apply(ctx, s, manifest, ids); err != nil {
		s.Stop()
		return nil, fmt.Errorf("%s: %w", filepath.Base(manifest), err)
	}
	return s, nil
}

func apply(ctx context.Context, s *kubetest.Server, manifest string, ids aws) error {
	text, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	t, err := template.New("").Option("missingkey=error").Parse(string(text))
	if err != nil {
		return err
	}
	var filled bytes.Buffer
	if err := t.Execute(&filled, ids); err != nil {
		return err
	}
	d, err := discovery.NewDiscoveryClientForConfig(s.Config(kubetest.Admin))
	if err != nil {
		return err
	}
	groups, err := restmapper.GetAPIGroupResources(d)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	uids := map[string]string{} // kind, namespace and name -> uid
	for dec := yaml.NewYAMLOrJSONDecoder(&filled, 4096); ; {
		o := &unstructured.Unstructured{}
		if err := dec.Decode(&o.Object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		gvk := o.GroupVersionKind()
		m, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err != nil {
			return err
		}
		key := func(kind, name string) string { return kind + "/" + o.GetNamespace() + "/" + name }
		owners := o.GetOwnerReferences()
		for i, r := range owners {
			owner, ok := uids[key(r.Kind, r.Name)]
			if !ok {
				return fmt.Errorf("%s: its owner %s %s stands further down", o.GetName(), r.Kind, r.Name)
			}
			owners[i].UID = types.UID(owner)
		}
		o.SetOwnerReferences(owners)
		path := "/apis/" + gvk.Group + "/" + gvk.Version
		if gvk.Group == "" {
			path = "/api/" + gvk.Version
		}
		if ns := o.GetNamespace(); ns != "" {
			path += "/namespaces/" + ns
		}
		path += "/" + m.Resource.Resource
		uid, err := create(ctx, s, path, o)
		if err != nil {
			return fmt.Errorf("%s %s: %w", gvk.Kind, o.GetName(), err)
		}
		uids[key(gvk.Kind, o.GetName())] = uid
	}
}

// create creates an object with its status and returns its uid.
func create(ctx context.Context, s *kubetest.Server, path string, o *unstructured.Unstructured) (string, error) {
	body, err := json.Marshal(o.Object)
	if err != nil {
		return "", err
	}
	answer, err := s.Do(ctx, http.MethodPost, path, body)
	if err != nil {
		return "", err
	}
	var made struct {
		Metadata struct{ UID string }
	}
	if err := json.Unmarshal(answer, &made); err != nil {
		return "", err
	}
	if status, ok := o.Object["status"]; ok {
		if body, err = json.Marshal(map[string]any{"status": status}); err != nil {
			return "", err
		}
		if _, err := s.Do(ctx, http.MethodPatch, path+"/"+o.GetName()+"/status", body); err != nil {
			return "", err
		}
	}
	return made.Metadata.UID, nil
}

// add enters a server into a kubeconfig as the context of a name.
func add(c *api.Config, name string, s *kubetest.Server) {
	c.Clusters[name] = &api.Cluster{Server: s.URL, CertificateAuthorityData: s.CA}
	c.AuthInfos[name] = &api.AuthInfo{Token: kubetest.Admin}
	c.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	c.CurrentContext = name
}

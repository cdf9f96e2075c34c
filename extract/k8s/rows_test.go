package k8s_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/schema"
)

func create(t *testing.T, path, object string) {
	t.Helper()
	if err := server.Create(t.Context(), path, object); err != nil {
		t.Fatal(err)
	}
}

func namespaceOf(t *testing.T, name string) string {
	t.Helper()
	create(t, "/api/v1/namespaces", fmt.Sprintf(`{"metadata":{"name":%q}}`, name))
	return "/api/v1/namespaces/" + name
}

func (t *table) hasEdge(kind, edge string) bool { return slices.Contains(t.edges[kind], edge) }

func TestNodesHaveNumbersAndInstances(t *testing.T) {
	create(t, "/api/v1/nodes", `{"metadata":{"name":"node-aws","labels":{"node.kubernetes.io/instance-type":"m5.large","topology.kubernetes.io/zone":"eu-west-1a"}},
		"spec":{"providerID":"aws:///eu-west-1a/i-0123456789abcdef0"}}`)
	if _, err := server.Do(t.Context(), "PATCH", "/api/v1/nodes/node-aws/status", []byte(`{"status":{
		"capacity":{"cpu":"1930m","memory":"7Gi","pods":"110","ephemeral-storage":"20959212Ki","example.com/gpu":"2"},"allocatable":{"cpu":"1","memory":"6500000k"}}}`)); err != nil {
		t.Fatal(err)
	}
	out := collect(t, open(t, options(t, "admin"), nil, "kubernetes_node"))
	r := out.row(t, "kubernetes_node", "node-aws")
	for column, want := range map[string]any{
		"capacity_cpu": 1.93, "capacity_memory_bytes": float64(7 << 30), "capacity_pods": 110.0, "capacity_storage_bytes": float64(20959212 << 10),
		"allocatable_cpu": 1.0, "allocatable_memory_bytes": 6.5e9, "instance_type": "m5.large", "zone": "eu-west-1a", "region": "global",
		"status_capacity": `{"cpu":"1930m","ephemeral-storage":"20959212Ki","example.com/gpu":"2","memory":"7Gi","pods":"110"}`,
	} {
		if fmt.Sprint(r[column]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, not %v", column, r[column], want)
		}
	}
	if !out.hasEdge("kubernetes_node", "runs_on aws_ec2_instance i-0123456789abcdef0") {
		t.Errorf("edges: %v", out.edges["kubernetes_node"])
	}
}

func TestPodsReferToWhatTheyUse(t *testing.T) {
	ns := namespaceOf(t, "shop")
	create(t, ns+"/pods", `{"metadata":{"name":"web","labels":{"app":"web"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"7a1b2c3d-0000-4000-8000-000000000001"}],
		"annotations":{"team":"a","kubectl.kubernetes.io/last-applied-configuration":"{\"password\":\"hunter2\"}"}},
		"spec":{"nodeName":"node-x","serviceAccountName":"robot","imagePullSecrets":[{"name":"registry"}],
		"volumes":[{"name":"a","persistentVolumeClaim":{"claimName":"data"}},{"name":"b","configMap":{"name":"conf"}},{"name":"c","secret":{"secretName":"tls"}}],
		"containers":[{"name":"c","image":"i","envFrom":[{"secretRef":{"name":"env"}}],"env":[{"name":"PASSWORD","value":"hunter2"},{"name":"K","valueFrom":{"secretKeyRef":{"name":"db","key":"k"}}}]}]}}`)
	out := collect(t, open(t, options(t, "admin"), nil, "kubernetes_pod"))
	r := out.row(t, "kubernetes_pod", "web")
	for _, want := range []string{
		"owned_by  7a1b2c3d-0000-4000-8000-000000000001", "runs_on kubernetes_node global/node-x", "runs_as kubernetes_service_account shop/robot",
		"mounts kubernetes_persistent_volume_claim shop/data", "mounts kubernetes_config_map shop/conf", "mounts kubernetes_secret shop/tls",
		"reads kubernetes_secret shop/env", "reads_key kubernetes_secret shop/db", "pulls_with kubernetes_secret shop/registry", "in kubernetes_namespace global/shop",
	} {
		if !out.hasEdge("kubernetes_pod", want) {
			t.Errorf("no edge %q in %q", want, out.edges["kubernetes_pod"])
		}
	}
	if text := fmt.Sprint(r); strings.Contains(text, "hunter2") || strings.Contains(text, "managedFields") {
		t.Errorf("secrets or managed fields came into a row: %s", text)
	}
	if r["annotations"] != `{"team":"a"}` || fmt.Sprint(r["tags"]) != "[map[key:app value:web]]" {
		t.Errorf("annotations %v, tags %v", r["annotations"], r["tags"])
	}
	if !strings.Contains(fmt.Sprint(r["spec_containers"]), `"name":"PASSWORD"`) {
		t.Errorf("the names of environment variables are gone: %v", r["spec_containers"])
	}
}

func TestEdgesBetweenKinds(t *testing.T) {
	ns := namespaceOf(t, "net")
	in := func(group, resource string) string {
		return strings.Replace(ns, "/api/v1", "/apis/"+group, 1) + "/" + resource
	}
	create(t, ns+"/services", `{"metadata":{"name":"front"},"spec":{"type":"LoadBalancer","ports":[{"port":80}]}}`)
	if _, err := server.Do(t.Context(), "PATCH", ns+"/services/front/status", []byte(`{"status":{"loadBalancer":{"ingress":[{"hostname":"internal-a1b2c3d4-123456789.eu-west-1.elb.amazonaws.com"}]}}}`)); err != nil {
		t.Fatal(err)
	}
	create(t, ns+"/serviceaccounts", `{"metadata":{"name":"robot","annotations":{"eks.amazonaws.com/role-arn":"arn:aws:iam::123456789012:role/robot"}}}`)
	create(t, in("discovery.k8s.io/v1", "endpointslices"), `{"metadata":{"name":"front-x","labels":{"kubernetes.io/service-name":"front"}},"addressType":"IPv4",
		"endpoints":[{"addresses":["10.1.2.3"],"nodeName":"node-x","targetRef":{"kind":"Pod","name":"p","namespace":"net","uid":"11111111-2222-4333-8444-555555555555"}}],"ports":[]}`)
	create(t, in("networking.k8s.io/v1", "ingresses"), `{"metadata":{"name":"front"},"spec":{"ingressClassName":"alb","tls":[{"secretName":"cert"}],
		"rules":[{"host":"x.example.com","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"front","port":{"number":80}}}}]}}]}}`)
	create(t, in("autoscaling/v2", "horizontalpodautoscalers"), `{"metadata":{"name":"front"},"spec":{"maxReplicas":3,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"front"}}}`)
	create(t, in("rbac.authorization.k8s.io/v1", "rolebindings"), `{"metadata":{"name":"b"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},
		"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"u"},{"kind":"ServiceAccount","name":"robot","namespace":"net"},{"kind":"ServiceAccount","name":"other","namespace":"far"}]}`)
	create(t, "/api/v1/persistentvolumes", `{"metadata":{"name":"pv-1"},"spec":{"capacity":{"storage":"10Gi"},"accessModes":["ReadWriteOnce"],"storageClassName":"gp3","csi":{"driver":"ebs.csi.aws.com","volumeHandle":"vol-0abc"}}}`)
	create(t, ns+"/persistentvolumeclaims", `{"metadata":{"name":"data"},"spec":{"volumeName":"pv-1","storageClassName":"gp3","accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"10Gi"}}}}`)
	create(t, "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", `{"metadata":{"name":"hook"},"webhooks":[{"name":"a.example.com","sideEffects":"None","admissionReviewVersions":["v1"],"failurePolicy":"Ignore",
		"rules":[{"apiGroups":["none.example.com"],"apiVersions":["v1"],"operations":["CREATE"],"resources":["nones"]}],"clientConfig":{"service":{"name":"hook","namespace":"net"}}}]}`)
	out := collect(t, open(t, options(t, "admin"), nil))
	for kind, edges := range map[string][]string{
		"kubernetes_service":                          {"exposed_by aws_elb_load_balancer a1b2c3d4"},
		"kubernetes_service_account":                  {"assumes aws_iam_role arn:aws:iam::123456789012:role/robot"},
		"kubernetes_endpoint_slice":                   {"endpoints_of kubernetes_service net/front", "targets kubernetes_pod 11111111-2222-4333-8444-555555555555", "targets kubernetes_node global/node-x"},
		"kubernetes_ingress":                          {"routes_to kubernetes_service net/front", "of_class kubernetes_ingress_class global/alb", "uses kubernetes_secret net/cert"},
		"kubernetes_horizontal_pod_autoscaler":        {"scales kubernetes_deployment net/front"},
		"kubernetes_role_binding":                     {"grants kubernetes_cluster_role global/view", "grants_to kubernetes_service_account net/robot", "grants_to kubernetes_service_account far/other"},
		"kubernetes_persistent_volume":                {"backed_by aws_ec2_volume vol-0abc", "of_class kubernetes_storage_class global/gp3", "uses kubernetes_csi_driver global/ebs.csi.aws.com"},
		"kubernetes_persistent_volume_claim":          {"bound_to kubernetes_persistent_volume global/pv-1"},
		"kubernetes_validating_webhook_configuration": {"calls kubernetes_service net/hook"},
	} {
		for _, e := range edges {
			if !out.hasEdge(kind, e) {
				t.Errorf("%s has no edge %q: %q", kind, e, out.edges[kind])
			}
		}
	}
	for _, e := range out.edges["kubernetes_horizontal_pod_autoscaler"] {
		if strings.Contains(e, "stateful_set") || strings.Contains(e, "replica_set") {
			t.Errorf("the autoscaler of a deployment has %q", e)
		}
	}
	for _, e := range out.edges["kubernetes_role_binding"] {
		if strings.HasSuffix(e, "/u") || strings.HasPrefix(e, "grants kubernetes_role net/view") {
			t.Errorf("edge %q", e)
		}
	}
	if v := out.row(t, "kubernetes_persistent_volume", "pv-1")["capacity_bytes"]; v != float64(10<<30) {
		t.Errorf("capacity_bytes is %v", v)
	}
}

func TestEdgesToGoogle(t *testing.T) {
	ns := namespaceOf(t, "gke")
	create(t, "/api/v1/nodes", `{"metadata":{"name":"node-gce"},"spec":{"providerID":"gce://shop-prod/europe-west1-b/gke-main-1"}}`)
	create(t, "/api/v1/persistentvolumes", `{"metadata":{"name":"pv-gce"},"spec":{"capacity":{"storage":"10Gi"},"accessModes":["ReadWriteOnce"],
		"csi":{"driver":"pd.csi.storage.gke.io","volumeHandle":"projects/shop-prod/zones/europe-west1-b/disks/data"}}}`)
	create(t, ns+"/serviceaccounts", `{"metadata":{"name":"robot","annotations":{"iam.gke.io/gcp-service-account":"robot@shop-prod.iam.gserviceaccount.com"}}}`)
	out := collect(t, open(t, options(t, "admin"), nil, "kubernetes_node", "kubernetes_persistent_volume", "kubernetes_service_account"))
	for kind, e := range map[string]string{
		"kubernetes_node":              "runs_on gcp_compute_instance //compute.googleapis.com/projects/shop-prod/zones/europe-west1-b/instances/gke-main-1",
		"kubernetes_persistent_volume": "backed_by gcp_compute_disk //compute.googleapis.com/projects/shop-prod/zones/europe-west1-b/disks/data",
		"kubernetes_service_account":   "assumes gcp_iam_service_account //iam.googleapis.com/projects/shop-prod/serviceAccounts/robot@shop-prod.iam.gserviceaccount.com",
	} {
		if !out.hasEdge(kind, e) {
			t.Errorf("%s has no edge %q: %q", kind, e, out.edges[kind])
		}
		for _, e := range out.edges[kind] {
			if strings.Contains(e, "projects//") {
				t.Errorf("%s: what is not of Google refers to it: %q", kind, e)
			}
		}
	}
}

func TestSecretsAreMetadataAndAskedForByName(t *testing.T) {
	ns := namespaceOf(t, "safe")
	create(t, ns+"/secrets", `{"metadata":{"name":"top","labels":{"a":"b"},"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"data\":{\"k\":\"aHVudGVyMg==\"}}"}},"data":{"k":"aHVudGVyMg=="}}`)
	if out := collect(t, open(t, options(t, "admin"), nil)); len(out.rows["kubernetes_secret"]) > 0 || out.state("kubernetes_secret", "global") != "" {
		t.Error("secrets were read without being asked for")
	} else if out.state("kubernetes_coordination_k8s_io_lease", "global") != "" || out.state("kubernetes_events_k8s_io_event", "global") != "" {
		t.Error("leases or events were read without being asked for")
	}
	rec, dir := recorder(t)
	o := options(t, "admin")
	o.Recorder = rec
	out := collect(t, open(t, o, nil, "kubernetes_secret", "kubernetes_coordination_k8s_io_lease", "kubernetes_events_k8s_io_event"))
	r := out.row(t, "kubernetes_secret", "top")
	if fmt.Sprint(r["tags"]) != "[map[key:a value:b]]" || strings.Contains(fmt.Sprint(r), "aHVudGVyMg") {
		t.Errorf("secret: %v", r)
	}
	for _, k := range []string{"kubernetes_secret", "kubernetes_coordination_k8s_io_lease", "kubernetes_events_k8s_io_event"} {
		if out.state(k, "global") != schema.Complete {
			t.Errorf("%s: %+v", k, out.scopes[k+" in global"])
		}
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	if grep(t, dir, "aHVudGVyMg") || !grep(t, dir, `\"top\"`) {
		t.Error("the recording holds the secret, or not its name")
	}
}

func TestOneObjectIsOneKind(t *testing.T) {
	cs, err := openClusters(t, options(t, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	c, _ := entriesOf(t, cs)
	for _, name := range c.Names() {
		switch name {
		case "kubernetes_event", "kubernetes_core_event", "kubernetes_component_status", "kubernetes_autoscaling_horizontal_pod_autoscaler":
			t.Errorf("there is a kind %s", name)
		}
	}
	if _, ok := c.Entry("kubernetes_events_k8s_io_event"); !ok {
		t.Error("there are no events")
	}
}

// TestTimesThatSchemasLetPass reads what the server takes for a date-time.
func TestTimesThatSchemasLetPass(t *testing.T) {
	define(t, "times.example.com", "Time", "times", `[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","properties":{
		"at":{"type":"string","format":"date-time"},"size":{"type":"integer"},"any":{"x-kubernetes-preserve-unknown-fields":true}}}}}}}]`)
	for name, at := range map[string]string{"plain": "2026-01-01T00:00:00Z", "lower": "2026-01-01t00:00:00z", "micro": "2026-01-01T00:00:00.123456Z", "offset": "2026-01-01T02:00:00+02:00"} {
		create(t, "/apis/times.example.com/v1/namespaces/default/times", fmt.Sprintf(`{"apiVersion":"times.example.com/v1","kind":"Time","metadata":{"name":%q},"spec":{"at":%q,"size":9007199254740993,"any":{"b":1,"a":2}}}`, name, at))
	}
	out := collect(t, open(t, options(t, "admin"), nil, "kubernetes_times_example_com_time"))
	for name, want := range map[string]string{"plain": "2026-01-01T00:00:00Z", "lower": "2026-01-01T00:00:00Z", "micro": "2026-01-01T00:00:00.123456Z", "offset": "2026-01-01T00:00:00Z"} {
		if r := out.row(t, "kubernetes_times_example_com_time", name); fmt.Sprint(r["spec_at"]) != want || r["spec_any"] != `{"a":2,"b":1}` {
			t.Errorf("%s: %v %v", name, r["spec_at"], r["spec_any"])
		}
	}
	if len(out.problems) > 0 {
		t.Errorf("problems: %v", out.problems)
	}
}

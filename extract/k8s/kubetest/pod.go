package kubetest

import (
	"context"
	"net/http"
)

// Pod is a pod as a deployment of some size has it, with a status as a kubelet
// writes it; about 8 KB, of which half are managed fields.
const Pod = `{
 "apiVersion": "v1", "kind": "Pod",
 "metadata": {
  "name": "web-00000", "generateName": "web-7d4b9c6f5-",
  "labels": {"app.kubernetes.io/name": "web", "app.kubernetes.io/instance": "web-prod", "app.kubernetes.io/managed-by": "Helm", "pod-template-hash": "7d4b9c6f5", "team": "payments"},
  "annotations": {"checksum/config": "0f4c6a5c5a2c3f6c7b8d9e0a1b2c3d4e5f60718293a4b5c6d7e8f90011223344", "prometheus.io/port": "9102", "prometheus.io/scrape": "true"},
  "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d4b9c6f5", "uid": "7a1b2c3d-0000-4000-8000-000000000001", "controller": true, "blockOwnerDeletion": true}]
 },
 "spec": {
  "nodeName": "node-1", "serviceAccountName": "web", "restartPolicy": "Always", "schedulerName": "default-scheduler", "priority": 0,
  "nodeSelector": {"kubernetes.io/os": "linux"},
  "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}, {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
  "volumes": [
   {"name": "config", "configMap": {"name": "web-config", "defaultMode": 420}},
   {"name": "data", "persistentVolumeClaim": {"claimName": "web-data"}},
   {"name": "tls", "secret": {"secretName": "web-tls", "defaultMode": 420}}],
  "containers": [
   {"name": "web", "image": "registry.example.com/payments/web:1.42.0", "imagePullPolicy": "IfNotPresent",
    "args": ["--listen=:8080", "--config=/etc/web/config.yaml"],
    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}, {"name": "metrics", "containerPort": 9102, "protocol": "TCP"}],
    "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "web-db", "key": "password"}}}, {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
    "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
    "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10},
    "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 5},
    "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}, {"name": "data", "mountPath": "/var/lib/web"}, {"name": "tls", "mountPath": "/etc/tls", "readOnly": true}]},
   {"name": "proxy", "image": "registry.example.com/mesh/proxy:2.3.1", "ports": [{"name": "mesh", "containerPort": 15001}], "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}}}]
 }
}`

const podStatus = `{
 "status": {
  "phase": "Running", "hostIP": "10.0.3.17", "podIP": "10.244.3.25", "podIPs": [{"ip": "10.244.3.25"}], "qosClass": "Burstable", "startTime": "2026-11-01T08:30:00Z",
  "conditions": [
   {"type": "Initialized", "status": "True", "lastTransitionTime": "2026-11-01T08:30:01Z"}, {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-01T08:30:09Z"},
   {"type": "ContainersReady", "status": "True", "lastTransitionTime": "2026-11-01T08:30:09Z"}, {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-01T08:30:00Z"}],
  "containerStatuses": [
   {"name": "web", "ready": true, "started": true, "restartCount": 2, "image": "registry.example.com/payments/web:1.42.0", "imageID": "registry.example.com/payments/web@sha256:0f4c6a5c5a2c3f6c7b8d9e0a1b2c3d4e5f60718293a4b5c6d7e8f90011223344",
    "containerID": "containerd://aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffff0000000011111111", "state": {"running": {"startedAt": "2026-11-01T08:30:05Z"}}},
   {"name": "proxy", "ready": true, "started": true, "restartCount": 0, "image": "registry.example.com/mesh/proxy:2.3.1", "imageID": "registry.example.com/mesh/proxy@sha256:1f4c6a5c5a2c3f6c7b8d9e0a1b2c3d4e5f60718293a4b5c6d7e8f90011223344",
    "containerID": "containerd://bbbbbbbbccccccccddddddddeeeeeeeeffffffff000000001111111122222222", "state": {"running": {"startedAt": "2026-11-01T08:30:06Z"}}}]
 }
}`

// Pods creates Pod in a namespace that exists, and n copies of it.
func (s *Server) Pods(ctx context.Context, namespace string, n int) error {
	path := "/api/v1/namespaces/" + namespace + "/pods"
	if err := s.Create(ctx, path+"?fieldManager=kube-controller-manager", Pod); err != nil {
		return err
	}
	if _, err := s.Do(ctx, http.MethodPatch, path+"/web-00000/status?fieldManager=kubelet", []byte(podStatus)); err != nil {
		return err
	}
	return s.Copy(ctx, "pods/"+namespace, "web-00000", n)
}

package api_test

import (
	"strings"
	"testing"
)

// Discovery documents mark no member as secret; these are.
func TestSecretsAreSensitive(t *testing.T) {
	for _, name := range []string{
		"compute.v1 instances.get metadata items value",
		"compute.v1 projects.get commonInstanceMetadata items value",
		"compute.v1 instanceTemplates.get properties metadata items value",
		"compute.v1 vpnTunnels.get sharedSecret",
		"compute.v1 backendServices.get iap oauth2ClientSecret",
		"compute.v1 sslCertificates.get privateKey",
		"compute.v1 sslCertificates.get selfManaged privateKey",
		"compute.v1 disks.get diskEncryptionKey rawKey",
		"compute.v1 disks.get diskEncryptionKey rsaEncryptedKey",
		"run.v2 projects.locations.services.get template containers env value",
		"run.v2 projects.locations.jobs.get template template containers env value",
		"run.v1 namespaces.services.get spec template spec containers env value",
		"cloudfunctions.v2 projects.locations.functions.get serviceConfig environmentVariables",
		"cloudfunctions.v2 projects.locations.functions.get buildConfig environmentVariables",
		"cloudfunctions.v1 projects.locations.functions.get environmentVariables",
		"cloudfunctions.v1 projects.locations.functions.get buildEnvironmentVariables",
		"container.v1 projects.locations.clusters.get masterAuth password",
		"container.v1 projects.locations.clusters.get masterAuth clientKey",
		"container.v1 projects.locations.clusters.get nodePools config metadata",
		"sqladmin.v1 instances.get rootPassword",
		"sqladmin.v1 users.list items password",
		"sqladmin.v1 instances.get replicaConfiguration mysqlReplicaConfiguration clientKey",
		"iam.v1 projects.serviceAccounts.keys.get privateKeyData",
		"secretmanager.v1 projects.secrets.versions.access payload",
		"redis.v1 projects.locations.instances.getAuthString authString",
		"cloudbuild.v1 projects.builds.get steps env",
		"appengine.v1 apps.services.versions.get envVariables",
		"composer.v1 projects.locations.environments.get config softwareConfig envVariables",
		"dataproc.v1 projects.regions.clusters.get config gceClusterConfig metadata",
		"apikeys.v2 projects.locations.keys.getKeyString keyString",
	} {
		parts := strings.Fields(name)
		_, o := lookup(t, parts[0], parts[1])
		if m := at(t, o.Output, parts[2:]...); !m.Sensitive {
			t.Errorf("%s is not sensitive", name)
		}
	}
}

// Names of secrets, and what only sounds like one, are not.
func TestNamesOfSecretsAreNot(t *testing.T) {
	for _, name := range []string{
		"compute.v1 instances.get metadata items key",
		"compute.v1 vpnTunnels.get sharedSecretHash",
		"run.v2 projects.locations.services.get template containers env",
		"run.v2 projects.locations.services.get template containers env name",
		"run.v2 projects.locations.services.get template containers env valueSource secretKeyRef secret",
		"cloudfunctions.v2 projects.locations.functions.get serviceConfig secretEnvironmentVariables",
		"sqladmin.v1 instances.get settings passwordValidationPolicy",
		"secretmanager.v1 projects.secrets.get name",
		"iam.v1 projects.serviceAccounts.keys.get privateKeyType",
		"compute.v1 instances.get labels",
	} {
		parts := strings.Fields(name)
		_, o := lookup(t, parts[0], parts[1])
		if m := at(t, o.Output, parts[2:]...); m.Sensitive {
			t.Errorf("%s is sensitive", name)
		}
	}
}

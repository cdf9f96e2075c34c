package main

import (
	"regexp"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// Discovery documents mark nothing as secret. What is, is listed here.

// secret are the names of members whose text is a secret.
var secret = regexp.MustCompile(`(?i)(?:^|raw|new|old|root|admin|user|key|store|wallet|secure|pvk|shared|certificate|encrypted)password$` +
	`|^passwordHash$|^(?:pem|cert|encrypted)?privateKey(?:Data|Password)?$|^clientKey$` +
	`|^(?:oauth2|encrypted)?clientSecret$|^(?:shared|consumer|site|cloud|trustHandshake)Secret(?:Key)?$|^secretValue$` +
	`|^secretAccessKey$|^legacySecretKey$|^realtimeSyncSecret$|^oauthTokenSecret$` +
	`|^(?:oauth|provider|huggingFace)?accessToken$|^access_token$|^(?:oauth)?refreshToken$|^sasToken$|^sessionToken$|^securityToken$|^activationToken$` +
	`|^(?:oauth)?idToken$|^oauthToken$|^oauthIdToken$` +
	`|^authString$|^apiKey(?:String)?$|^keyString$|^rawKey$|^rsaEncryptedKey$|^credentialsCiphertext$|^siteCredential$|^storageCredential$`)

// environment are the names of maps and lists of variables.
var environment = regexp.MustCompile(`(?i)^(?:effective|build|user|secret)?env(?:ironment)?(?:Var(?:iable)?s)?$`)

// hidden are members whose names say nothing, by API, schema and name.
var hidden = map[[3]string]bool{
	// Start-up scripts, SSH keys and whatever else is handed to an instance.
	{"compute", "MetadataItemsItem", "value"}:                   true,
	{"compute", "SignedUrlKey", "keyValue"}:                     true,
	{"container", "NodeConfig", "metadata"}:                     true,
	{"dataproc", "GceClusterConfig", "metadata"}:                true,
	{"notebooks", "GceSetup", "metadata"}:                       true,
	{"notebooks", "Instance", "metadata"}:                       true,
	{"notebooks", "VirtualMachineConfig", "metadata"}:           true,
	{"tpu", "Node", "metadata"}:                                 true,
	{"secretmanager", "SecretPayload", "data"}:                  true,
	{"iam", "ServiceAccountKey", "privateKeyData"}:              true,
	{"secretmanager", "AccessSecretVersionResponse", "payload"}: true,
	{"parametermanager", "ParameterVersionPayload", "data"}:     true,
	{"runtimeconfig", "Variable", "value"}:                      true,
	{"runtimeconfig", "Variable", "text"}:                       true,
}

// variable are the schemas of one environment variable, whose value is
// hidden and whose name is not.
var variable = regexp.MustCompile(`(?:EnvVar|EnvironmentVariable)$`)

// sensitive says whether a member of a structure may hold a secret. A list of
// variables is not one as a whole: each of them hides its value.
func sensitive(document, structure, name string, s *api.Shape) bool {
	switch {
	case hidden[[3]string{document, structure, name}]:
		return true
	case name == "value" && variable.MatchString(structure):
		return true
	case environment.MatchString(name):
		return s.Type == "map" || s.Type == "list" && (s.Elem.Type == "string" || s.Elem.Type == "structure" && s.Elem.Member("value") != nil && !variable.MatchString(s.Elem.Name))
	case secret.MatchString(name):
		return s.Type == "string" || s.Type == "blob"
	}
	return false
}

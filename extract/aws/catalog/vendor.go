// Package catalog holds the catalogue of AWS kinds, one YAML file a service,
// and what the catalogue's compiler has to know of AWS.
package catalog

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
)

//go:embed *.yaml
var files embed.FS

// Vendor is AWS.
func Vendor() catalog.Vendor {
	return catalog.Vendor{
		Cloud: "aws", Title: "AWS",
		Name: regexp.MustCompile(`^aws_[a-z0-9]+(_[a-z0-9]+)+$`), NameForm: "aws_<service>_<noun>",
		ServiceForm: "the botocore name of the service",
		Files:       files,
		Lookup:      awsapi.Lookup, Format: awsapi.Format, Wrap: awsapi.Wrap, Normalize: awsapi.Normalize,
		Scopes:      []string{"region", "account"},
		Permissions: permissions,
	}
}

// permissions are IAM actions: the operation's name behind the service's
// prefix, unless the file says otherwise.
func permissions(svc *api.Service, op *api.Operation, prefix string, said []string) ([]string, error) {
	prefix = cmp.Or(prefix, svc.SigningName, svc.EndpointPrefix, svc.Name)
	actions := []string{op.Name}
	if said != nil {
		actions = append([]string(nil), said...)
	}
	var errs []error
	for i, a := range actions {
		if !strings.Contains(a, ":") {
			actions[i] = prefix + ":" + a
		}
		if !awsapi.ActionExists(actions[i]) {
			errs = append(errs, fmt.Errorf("IAM has no action %s: say actions: {%s: %s:...}, or iam: the prefix", actions[i], op.Name, prefix))
		}
	}
	return actions, errors.Join(errs...)
}

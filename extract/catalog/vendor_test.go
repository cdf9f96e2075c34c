package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/dewpoint-data/dewpoint/extract/api"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
)

// aws is AWS with the files of its folder. The package of AWS's own vendor
// imports this one.
func aws() []Vendor {
	return []Vendor{{
		Cloud: "aws", Title: "AWS",
		Name: regexp.MustCompile(`^aws_[a-z0-9]+(_[a-z0-9]+)+$`), NameForm: "aws_<service>_<noun>",
		ServiceForm: "the botocore name of the service",
		Files:       os.DirFS("../aws/catalog"),
		Lookup:      awsapi.Lookup, Format: awsapi.Format, Wrap: awsapi.Wrap, Normalize: awsapi.Normalize,
		Scopes: []string{"region", "account"},
		Permissions: func(svc *api.Service, op *api.Operation, prefix string, said []string) ([]string, error) {
			prefix = cmp.Or(prefix, svc.SigningName)
			var errs []error
			if said == nil {
				said = []string{prefix + ":" + op.Name}
			}
			for _, a := range said {
				if !awsapi.ActionExists(a) {
					errs = append(errs, fmt.Errorf("IAM has no action %s: say actions: {%s: %s:...}, or iam: the prefix", a, op.Name, prefix))
				}
			}
			return said, errors.Join(errs...)
		},
	}}
}

package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// Vendor is what the compiler has to know of a cloud. Its functions are safe
// for concurrent use.
type Vendor struct {
	// Cloud is aws, gcp or kubernetes: what files say as cloud, what rows have
	// in the column, and the name of the folder with the kinds' documentation.
	Cloud string
	// Title is its name for people: Google Cloud.
	Title string
	// Name matches the names of kinds, NameForm is how they are made:
	// aws_<service>_<noun>.
	Name     *regexp.Regexp
	NameForm string
	// Words are the service and the noun in a kind's name, by which the user
	// may name the kind; nil takes what stands before and behind the second
	// underscore.
	Words func(kind string) (service, noun string)
	// ServiceForm says what services are called: "the botocore name of the
	// service".
	ServiceForm string
	// Files are the catalogue files: *.yaml at the root.
	Files fs.FS

	// Lookup returns the description of a service. Its error is ErrLater for
	// one that is described at run time only: what the files say of its kinds
	// is kept for With.
	Lookup func(service string) (*api.Service, error)
	// Format, Wrap and Normalize say how an operation's answers are written:
	// the notation, the XML elements around the output, and its shape, a new
	// one for every call. nil Format is JSON, nil Wrap none.
	Format    func(*api.Service) normalize.Format
	Wrap      func(*api.Service, *api.Operation) []string
	Normalize func(*api.Service, *api.Operation) *normalize.Shape

	// Scopes are the values of scope:, the default first. "region" is a call
	// in every region, all others are one call an account, "account" the plain
	// one.
	Scopes []string
	// Permissions are what a call needs of the reader. prefix is what the file
	// says as iam:, said what it says of the operation in actions:, nil where
	// it says nothing. nil Permissions takes what is said.
	Permissions func(svc *api.Service, op *api.Operation, prefix string, said []string) ([]string, error)
	// Awaits, if any, is the operation that asks how far a call on one resource
	// is that goes on after its answer; nil for a call that is done with it. It
	// needs permissions as well.
	Awaits func(*api.Service, *api.Operation) *api.Operation
	// SayUnpaged wants a reason in page: {none: why} for every list that the
	// description knows no paging of.
	SayUnpaged bool
	// Partiality, if any, finds where lists say that their answer is not whole.
	Partiality *Partiality
	// Locations is the operation of a service that lists the locations it is
	// in. Located kinds want it, or an answer with a part for each location.
	Locations string
	// Defaults, if any, fills in fields of a kind that the catalogue says
	// nothing about.
	Defaults func(service, name string, k *Kind)
}

// ErrLater is Lookup's error for a service that is described at run time.
var ErrLater = errors.New("the service is described at run time")

func (v *Vendor) words(kind string) (service, noun string) {
	if v != nil && v.Words != nil {
		return v.Words(kind)
	}
	_, rest, _ := strings.Cut(kind, "_")
	service, noun, _ = strings.Cut(rest, "_")
	return service, noun
}

func (v *Vendor) format(s *api.Service) normalize.Format {
	if v.Format == nil {
		return normalize.JSON
	}
	return v.Format(s)
}

func (v *Vendor) wrap(s *api.Service, o *api.Operation) []string {
	if v.Wrap == nil {
		return nil
	}
	return v.Wrap(s, o)
}

// vendors are the vendors of a catalogue.
type vendors []Vendor

func (vs vendors) of(cloud string) *Vendor {
	if i := slices.IndexFunc(vs, func(v Vendor) bool { return v.Cloud == cloud }); i >= 0 {
		return &vs[i]
	}
	return nil
}

func (vs vendors) clouds() []string {
	var out []string
	for _, v := range vs {
		out = append(out, v.Cloud)
	}
	return out
}

// serviceKey names a service of a cloud.
type serviceKey struct{ cloud, service string }

func (k serviceKey) compare(o serviceKey) int {
	return cmp.Or(strings.Compare(k.cloud, o.cloud), strings.Compare(k.service, o.service))
}

// permissions are what an operation needs, of what the file says.
func (k *kindCompiler) permissions(f *rawFile, svc *api.Service, op *api.Operation, path ...any) []string {
	prefix, said := "", []string(nil)
	if f != nil {
		prefix = f.IAM
		if text, ok := f.Actions[op.Name]; ok {
			if said = splitNames(text); said == nil {
				said = []string{}
			}
		}
	}
	if k.vendor.Permissions == nil {
		return said
	}
	out, err := k.vendor.Permissions(svc, op, prefix, said)
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) {
		for _, e := range several.Unwrap() {
			k.fail(e, path...)
		}
	} else if err != nil {
		k.fail(err, path...)
	}
	return out
}

// kindNameOK says what is wrong with a kind's name.
func (v *Vendor) kindNameOK(name string) error {
	if !v.Name.MatchString(name) || len(name) > maxName {
		return fmt.Errorf("a kind's name is %s, in lower case, at most %d bytes", v.NameForm, maxName)
	}
	return nil
}

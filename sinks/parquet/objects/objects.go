// Package objects stores files as objects: in a directory on disk, in a bucket
// of S3 or of a service that speaks its protocol, in a bucket of Google Cloud
// Storage. An object appears whole or not at all, and small ones can be written
// under the condition that nobody else wrote them meanwhile.
package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Store is a flat space of objects under the prefix that its URL names. Keys
// are relative to the prefix, separated by slashes and as fs.ValidPath wants
// them. Its methods are safe for concurrent use.
type Store interface {
	// URL identifies the store without secrets and without parameters.
	URL() string
	// Get reads a small object whole. The error is fs.ErrNotExist where
	// there is none.
	Get(ctx context.Context, key string) ([]byte, Info, error)
	// Open opens one version of an object for reading, until ctx ends or the
	// Reader is closed. The error is fs.ErrNotExist where there is none.
	Open(ctx context.Context, key string) (*Reader, error)
	// Writer begins to write an object of any size, in place of one that is
	// there. It ends with Commit or Abort.
	Writer(ctx context.Context, key string) Writer
	// Create writes a small object that must not be there yet: the error is
	// fs.ErrExist where it is. No other writer may write equal data, for an
	// answer that got lost is told from a lost race by reading the object.
	Create(ctx context.Context, key string, data []byte) (Info, error)
	// Replace writes a small object in place of the version tag. The error
	// is ErrChanged where the object is another version or is not there.
	// As with Create, the data is the writer's own.
	Replace(ctx context.Context, key string, data []byte, tag string) (Info, error)
	// Remove removes the version tag of an object. The error is ErrChanged
	// where the object is another version or is not there.
	Remove(ctx context.Context, key, tag string) error
	// List yields the objects whose keys begin with the prefix, in the order
	// of their keys' bytes. An error ends it.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// Delete removes objects. Those that are not there are no error.
	Delete(ctx context.Context, keys ...string) error
	// Sweep removes what writers left that were begun before the time and
	// ended with their process: invisible, but paid for.
	Sweep(ctx context.Context, before time.Time) error
	Close() error
}

// Info describes an object.
type Info struct {
	Key  string
	Size int64 // bytes
	// Tag identifies the version for Replace and Remove. It is empty where
	// the store would have to read the object for it: on disk, except from
	// Get, Create and Replace.
	Tag        string
	ModifiedAt time.Time
}

// Writer writes an object. It is not safe for concurrent use.
type Writer interface {
	// Write takes the next bytes, before or while they are stored.
	io.Writer
	// Commit makes the object visible, after it was stored durably and its
	// checksum was compared. After an error nothing is visible or stored.
	Commit() (Info, error)
	// Abort gives the object up and removes what was stored of it, also
	// after the context ended. After Commit it does nothing.
	Abort()
}

// ErrChanged says that an object is not the version it should have been.
var ErrChanged = errors.New("the object was changed by somebody else")

// UnknownError says that the answer to a conditional write was lost, and that
// the object could not be read afterwards either.
type UnknownError struct{ Err error }

func (e *UnknownError) Error() string {
	return "the outcome of the write is unknown: " + e.Err.Error()
}

func (e *UnknownError) Unwrap() error { return e.Err }

// Unknown says whether a conditional write failed with an unknown outcome.
func Unknown(err error) bool {
	var u *UnknownError
	return errors.As(err, &u)
}

// Open names a store: a directory, as a path, file:PATH or parquet:PATH;
// s3://BUCKET/PREFIX; gs://BUCKET/PREFIX. A directory is created by the first write; a bucket has
// to be there. No object is read or written yet.
//
// S3 takes its region, its credentials and its endpoint from where the AWS SDK
// looks for them (environment, shared config files, container, instance), or
// from the parameters region, profile, endpoint and path_style of the URL.
// Google Cloud Storage takes Application Default Credentials, and the
// parameter endpoint or STORAGE_EMULATOR_HOST; behind the latter no
// credentials are sent.
func Open(ctx context.Context, rawURL string) (Store, error) {
	return openURL(ctx, rawURL, patient())
}

func openURL(ctx context.Context, rawURL string, p patience) (Store, error) {
	scheme, rest, found := strings.Cut(rawURL, ":")
	if !found || len(scheme) == 1 || strings.ContainsAny(scheme, "/.") {
		scheme, rest = "file", rawURL
	}
	switch scheme {
	case "file", "parquet":
		return openDisk(rest)
	case "s3":
		l, err := parseLocation(rawURL, "region", "profile", "endpoint", "path_style")
		if err != nil {
			return nil, err
		}
		return openS3(ctx, l, p)
	case "gs":
		l, err := parseLocation(rawURL, "endpoint")
		if err != nil {
			return nil, err
		}
		return openGCS(ctx, l, p)
	}
	return nil, fmt.Errorf("objects: %s: is not known: name a directory, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX", scheme)
}

// location is a URL of a bucket.
type location struct {
	scheme, bucket string
	prefix         string // empty, or ends with a slash
	params         url.Values
}

func parseLocation(rawURL string, params ...string) (location, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return location{}, errors.New("objects: the URL of the bucket cannot be read: write s3://BUCKET/PREFIX?region=REGION")
	}
	l := location{scheme: u.Scheme, bucket: u.Host, prefix: strings.Trim(u.Path, "/"), params: u.Query()}
	switch {
	case u.User != nil:
		return l, fmt.Errorf("objects: the URL of %s: must not carry credentials: set them in the environment or in a profile", u.Scheme)
	case l.bucket == "":
		return l, fmt.Errorf("objects: the URL names no bucket: write %s://BUCKET/PREFIX", u.Scheme)
	case l.prefix != "" && !fs.ValidPath(l.prefix):
		return l, fmt.Errorf("objects: %s is no prefix of keys: leave out empty, . and .. parts", u.Path)
	}
	for name, v := range l.params {
		if !slices.Contains(params, name) {
			return l, fmt.Errorf("objects: %s has no parameter %q: it takes %s", l, name, strings.Join(params, ", "))
		}
		if len(v) > 1 {
			return l, fmt.Errorf("objects: %s has the parameter %q %d times", l, name, len(v))
		}
	}
	if l.prefix != "" {
		l.prefix += "/"
	}
	return l, nil
}

// String is the URL without parameters.
func (l location) String() string {
	return strings.TrimSuffix(l.scheme+"://"+l.bucket+"/"+l.prefix, "/")
}

// checkKey refuses what cannot be a key in every store.
func checkKey(key string) error {
	switch {
	case key == "." || !fs.ValidPath(key):
		return fmt.Errorf("objects: %q is no key: use relative paths without empty, . and .. parts", key)
	case temporary(key[strings.LastIndexByte(key, '/')+1:]):
		return fmt.Errorf("objects: %q is no key: the name is one of a temporary file", key)
	case len(key) > 900:
		return fmt.Errorf("objects: a key of %d bytes is too long: 900 is the limit", len(key))
	}
	return nil
}

package k8s

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
)

// Cloud is what rows have in the column cloud.
const Cloud = "kubernetes"

// Global is the region of what is in no namespace, and of lists of the whole
// cluster.
const Global = "global"

// Options say which clusters to read, and how. The zero value is the current
// context of the kubeconfig in the usual places.
type Options struct {
	// Kubeconfig is the path of a kubeconfig; empty is KUBECONFIG or
	// ~/.kube/config. Inline is the text of one instead.
	Kubeconfig, Inline string
	// Contexts are names and globs of contexts to read.
	Contexts []string
	// InCluster reads the cluster that dewpoint runs in, besides Contexts if
	// there are any.
	InCluster bool
	// ServiceAccountDir is the folder with the token and the certificates of
	// that cluster; empty is where a pod finds them.
	ServiceAccountDir string
	// ClusterID says, by context, glob of contexts or "*", what the account is
	// of clusters in which the namespace kube-system may not be read, whose
	// uid it is elsewhere.
	ClusterID map[string]string
	// Namespaces limits what is in namespaces to these.
	Namespaces []string

	// Limiter is the only rate control; nil is none.
	Limiter Limiter
	// Recorder is given every answer; nil records nothing.
	Recorder extract.Recorder
	// Player answers in the place of clusters; with it neither a kubeconfig
	// nor a network is used.
	Player extract.Player
	// StateDir is where the ids of clusters and their OpenAPI documents are
	// kept between runs; empty is dewpoint's folder in the user's cache
	// folder, "-" is nowhere.
	StateDir string
	// SpoolDir is where pages wait that a slow sink has not taken yet; empty
	// is the system's temporary folder. SpoolBytes is how many at once;
	// default 1 GiB.
	SpoolDir   string
	SpoolBytes int64
	// SpoolAfter is how long a list waits for the sink, all in all, before its
	// pages wait on disk; default 30 s, a small part of a token's life.
	SpoolAfter time.Duration
	// PageItems is how many items a page has at most, PageBytes from how many
	// bytes on the next has fewer; default 500 and 8 MiB.
	PageItems, PageBytes int
	// MaxResponseBytes bounds an answer's body; default 64 MiB. A larger page
	// is asked for again with fewer items.
	MaxResponseBytes int64
	// ConnectTimeout bounds how long a connection is waited for, and the
	// answer to the first question: a network that drops packets says nothing.
	// Default 10 s.
	ConnectTimeout time.Duration
	// AttemptTimeout bounds one attempt, its body included; default 2 min.
	AttemptTimeout time.Duration
	// ExecTimeout bounds a program that gives credentials; default 30 s.
	ExecTimeout time.Duration
	// UserAgent is sent with every request; default dewpoint. One that begins
	// with curl would get its answers indented.
	UserAgent string

	disk *disk
}

func (o *Options) defaults() {
	if o.SpoolBytes == 0 {
		o.SpoolBytes = 1 << 30
	}
	if o.SpoolAfter == 0 {
		o.SpoolAfter = 30 * time.Second
	}
	if o.PageItems == 0 {
		o.PageItems = 500
	}
	if o.PageBytes == 0 {
		o.PageBytes = 8 << 20
	}
	if o.MaxResponseBytes == 0 {
		o.MaxResponseBytes = 64 << 20
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = 10 * time.Second
	}
	if o.AttemptTimeout == 0 {
		o.AttemptTimeout = 2 * time.Minute
	}
	if o.ExecTimeout == 0 {
		o.ExecTimeout = 30 * time.Second
	}
	if o.UserAgent == "" {
		o.UserAgent = "dewpoint"
	}
	if o.StateDir == "" {
		if dir, err := os.UserCacheDir(); err == nil {
			o.StateDir = filepath.Join(dir, "dewpoint", "kubernetes")
		}
	}
	if o.StateDir == "-" {
		o.StateDir = ""
	}
	o.disk = &disk{dir: o.SpoolDir, most: o.SpoolBytes}
}

var (
	clusterID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	namespace = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

func (o *Options) validate() error {
	if o.Kubeconfig != "" && o.Inline != "" {
		return errors.New("kubernetes: give a kubeconfig or its text, not both")
	}
	for glob, id := range o.ClusterID {
		if _, err := path.Match(glob, ""); err != nil {
			return fmt.Errorf("kubernetes: cluster_id: %q is no glob", glob)
		}
		if !clusterID.MatchString(id) {
			return fmt.Errorf("kubernetes: cluster_id: %q of %q is not made of letters, digits, dots, dashes and underscores", id, glob)
		}
	}
	if o.ConnectTimeout < 0 {
		return fmt.Errorf("kubernetes: connect_timeout: %s is no time to wait", o.ConnectTimeout)
	}
	for _, n := range o.Namespaces {
		if !namespace.MatchString(n) {
			return fmt.Errorf("kubernetes: namespaces: %q is no name of a namespace", n)
		}
	}
	return nil
}

// clusterID is what the options say of a context, empty if nothing. The name
// itself goes before globs, of these the longest.
func (o *Options) clusterID(context string) string {
	if id, ok := o.ClusterID[context]; ok {
		return id
	}
	best := ""
	for glob := range o.ClusterID {
		if ok, _ := path.Match(glob, context); ok && (len(glob) > len(best) || len(glob) == len(best) && glob > best) {
			best = glob
		}
	}
	return o.ClusterID[best]
}

//go:build iceberg

package iceberg

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/catalog/rest"
	"github.com/apache/iceberg-go/table"
	"golang.org/x/sync/errgroup"

	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
)

// The environment variables that hold what a URL must not.
const (
	credentialVariable = "ICEBERG_CATALOG_CREDENTIAL" // CLIENT_ID:CLIENT_SECRET, for OAuth2
	tokenVariable      = "ICEBERG_CATALOG_TOKEN"      // a bearer token
)

// Catalog is a namespace of a REST catalog that shows an estate.
type Catalog struct {
	uri       string
	namespace table.Identifier
	opts      []rest.Option
	st        objects.Store
	// last is the table that is committed after all others where a catalog
	// has no transactions over several tables.
	last string
}

// Open names a catalog. catalog is its address; warehouse, scope, oauth2_server
// and sigv4 (the service that requests are signed for, such as glue) are passed
// on to it; namespace is dewpoint if it is empty. Nothing is asked yet.
func Open(params url.Values, st objects.Store, last string) (*Catalog, error) {
	c := &Catalog{uri: params.Get("catalog"), st: st, last: last}
	u, err := url.Parse(c.uri)
	switch {
	case c.uri == "":
		return nil, errors.New("iceberg: no catalog is named: add catalog=https://HOST/PATH, the address of a REST catalog")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("iceberg: the catalog must be an address as https://HOST/PATH")
	case u.User != nil || u.RawQuery != "":
		return nil, fmt.Errorf("iceberg: the address of the catalog must not carry credentials: set %s or %s", credentialVariable, tokenVariable)
	}
	c.namespace = strings.Split(params.Get("namespace"), ".")
	if params.Get("namespace") == "" {
		c.namespace = table.Identifier{"dewpoint"}
	}
	if slices.Contains(c.namespace, "") {
		return nil, fmt.Errorf("iceberg: %q is no namespace: write NAME or NAME.NAME", params.Get("namespace"))
	}
	if v := params.Get("warehouse"); v != "" {
		c.opts = append(c.opts, rest.WithWarehouseLocation(v))
	}
	if v := params.Get("sigv4"); v != "" {
		c.opts = append(c.opts, rest.WithSigV4RegionSvc(os.Getenv("AWS_REGION"), v))
	}
	if v := params.Get("scope"); v != "" {
		c.opts = append(c.opts, rest.WithScope(v))
	}
	if v := params.Get("oauth2_server"); v != "" {
		server, err := url.Parse(v)
		if err != nil {
			return nil, errors.New("iceberg: oauth2_server is no address")
		}
		c.opts = append(c.opts, rest.WithAuthURI(server))
	}
	if v := os.Getenv(credentialVariable); v != "" {
		c.opts = append(c.opts, rest.WithCredential(v))
	}
	if v := os.Getenv(tokenVariable); v != "" {
		c.opts = append(c.opts, rest.WithOAuthToken(v))
	}
	return c, nil
}

// Check asks the catalog whether it can be used. It changes nothing.
func (c *Catalog) Check(ctx context.Context) error {
	cat, err := rest.NewCatalog(ctx, "dewpoint", c.uri, c.opts...)
	if err == nil {
		_, err = cat.CheckNamespaceExists(ctx, c.namespace)
		cat.Close()
	}
	if err != nil {
		return fmt.Errorf("ask the Iceberg catalog %s: %w", c.uri, explain(err))
	}
	return nil
}

// URI is the address of the catalog.
func (c *Catalog) URI() string { return c.uri }

// publishAttempts is how often a publication starts again after somebody else
// changed a table, or after the answer to a commit was lost.
const publishAttempts = 4

// Publish brings the catalog's tables to the state: it creates those that are
// missing, adds columns, replaces files, and ends snapshots that are older than
// the retention. Tables whose files are the same get no snapshot. It goes by
// what the catalog has, so that what one call could not do the next one does.
func (c *Catalog) Publish(ctx context.Context, s State) error {
	var err error
	for range publishAttempts {
		err = c.publish(ctx, s)
		if !errors.Is(err, rest.ErrCommitFailed) && !errors.Is(err, rest.ErrCommitStateUnknown) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("publish sync %s in the Iceberg catalog %s: %w", s.Sync, c.uri, explain(err))
	}
	return nil
}

func (c *Catalog) publish(ctx context.Context, s State) error {
	cat, err := rest.NewCatalog(ctx, "dewpoint", c.uri, c.opts...)
	if err != nil {
		return err
	}
	defer cat.Close()
	exists, err := cat.CheckNamespaceExists(ctx, c.namespace)
	if err != nil {
		return err
	}
	if !exists {
		if err := cat.CreateNamespace(ctx, c.namespace, nil); err != nil && !errors.Is(err, catalog.ErrNamespaceAlreadyExists) {
			return fmt.Errorf("create the namespace %s: %w", strings.Join(c.namespace, "."), err)
		}
	}
	// The table that comes last keeps its place.
	tables := slices.Clone(s.Tables)
	slices.SortStableFunc(tables, func(a, b Table) int { return boolOrder(a.Name == c.last, b.Name == c.last) })
	changes := make([]*change, len(tables))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, t := range tables {
		group.Go(func() error {
			var err error
			if changes[i], err = c.plan(gctx, cat, t, s); err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	changes = slices.DeleteFunc(changes, func(ch *change) bool { return ch == nil })
	if len(changes) == 0 {
		return nil
	}
	if err := commit(ctx, cat, changes); err != nil {
		return err
	}
	for _, ch := range changes {
		if len(ch.expired) > 0 {
			if err := c.st.Delete(ctx, ch.expired...); err != nil {
				return fmt.Errorf("remove the metadata of expired snapshots: %w", err)
			}
		}
	}
	return nil
}

// commit commits all changes at once, or where the catalog cannot, one after
// the other.
func commit(ctx context.Context, cat *rest.Catalog, changes []*change) error {
	all, err := catalog.NewMultiTableTransaction(cat)
	if err != nil {
		return err
	}
	for _, ch := range changes {
		if err := all.AddTransaction(ch.tx); err != nil {
			return err
		}
	}
	err = all.Commit(ctx)
	if !errors.Is(err, rest.ErrEndpointNotSupported) {
		return err
	}
	for _, ch := range changes {
		if _, err := ch.tx.Commit(ctx); err != nil {
			return fmt.Errorf("table %s: %w", ch.name, err)
		}
	}
	return nil
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// explain adds what to do.
func explain(err error) error {
	switch {
	case errors.Is(err, rest.ErrUnauthorized), errors.Is(err, rest.ErrOAuthError), errors.Is(err, rest.ErrAuthorizationExpired):
		return fmt.Errorf("%w: set %s to CLIENT_ID:CLIENT_SECRET, or %s to a token", err, credentialVariable, tokenVariable)
	case errors.Is(err, rest.ErrForbidden):
		return fmt.Errorf("%w: grant the right to create and to write tables of the namespace", err)
	case errors.Is(err, rest.ErrCommitFailed):
		return fmt.Errorf("%w: somebody else writes to these tables: let dewpoint alone do so", err)
	case errors.Is(err, iceberg.ErrInvalidSchema):
		return fmt.Errorf("%w: drop the table in the catalog, the next sync makes it again", err)
	}
	return err
}

package aws

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/dewpoint-data/dewpoint/extract/api"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
)

// endpoint is where an operation is asked, and what for it is signed.
type endpoint struct {
	url           *url.URL
	signingName   string
	signingRegion string
	// configured by the user: taken as it is, without host prefixes.
	configured bool
}

// endpointOf finds the endpoint: a configured one before the description's.
func (c *Client) endpointOf(a *Account, region string, svc *api.Service, op *api.Operation) (endpoint, error) {
	if region == globalRegion {
		region = homeRegion(a.Partition)
	}
	cfg := a.config
	if cfg == nil {
		cfg = &c.base
	}
	o := awsapi.EndpointOptions{}
	o.FIPS, o.DualStack = variants(cfg)
	if cfg.AccountIDEndpointMode != sdk.AccountIDEndpointModeDisabled {
		o.AccountID = a.ID
	}
	raw, err := configuredEndpoint(cfg, svc.SDKID)
	if err != nil {
		return endpoint{}, err
	}
	d, err := awsapi.EndpointOf(svc, op, region, o)
	e := endpoint{signingName: d.SigningName, signingRegion: d.SigningRegion, configured: raw != ""}
	switch {
	case !e.configured && err != nil:
		return e, err
	case !e.configured:
		raw = d.URL
	case err != nil:
		e.signingName, e.signingRegion = svc.SigningName, region
	}
	e.url, err = url.Parse(raw)
	if err == nil && (e.url.Scheme != "http" && e.url.Scheme != "https" || e.url.Host == "") {
		err = errors.New("not an http or https URL")
	}
	if err != nil {
		return e, fmt.Errorf("endpoint %q of %s: %w", raw, svc.Name, err)
	}
	return e, nil
}

// configuredEndpoint is the endpoint that the environment or the config file
// gives the service, in the SDK's order: the service's variable, the common
// variable, the service's entry in the file, the file's common entry.
func configuredEndpoint(cfg *sdk.Config, sdkID string) (string, error) {
	for _, s := range cfg.ConfigSources {
		p, ok := s.(interface {
			GetIgnoreConfiguredEndpoints(context.Context) (bool, bool, error)
		})
		if !ok {
			continue
		}
		ignore, found, err := p.GetIgnoreConfiguredEndpoints(context.Background())
		if err != nil {
			return "", err
		}
		if found {
			if ignore {
				return "", nil
			}
			break
		}
	}
	base := ""
	if cfg.BaseEndpoint != nil {
		base = *cfg.BaseEndpoint
	}
	_, common := os.LookupEnv("AWS_ENDPOINT_URL")
	_, own := os.LookupEnv("AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(sdkID, " ", "_")))
	if common && !own {
		return base, nil
	}
	for _, s := range cfg.ConfigSources {
		p, ok := s.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		})
		if !ok {
			continue
		}
		v, found, err := p.GetServiceBaseEndpoint(context.Background(), sdkID)
		if err != nil {
			return "", err
		}
		if found {
			return v, nil
		}
	}
	return base, nil
}

// variants reports whether FIPS and dual-stack endpoints are configured.
func variants(cfg *sdk.Config) (fips, dualstack bool) {
	ctx := context.Background()
	for _, s := range cfg.ConfigSources {
		if p, ok := s.(interface {
			GetUseFIPSEndpoint(context.Context) (sdk.FIPSEndpointState, bool, error)
		}); ok {
			if v, found, err := p.GetUseFIPSEndpoint(ctx); err == nil && found {
				fips = v == sdk.FIPSEndpointStateEnabled
				break
			}
		}
	}
	for _, s := range cfg.ConfigSources {
		if p, ok := s.(interface {
			GetUseDualStackEndpoint(context.Context) (sdk.DualStackEndpointState, bool, error)
		}); ok {
			if v, found, err := p.GetUseDualStackEndpoint(ctx); err == nil && found {
				dualstack = v == sdk.DualStackEndpointStateEnabled
				break
			}
		}
	}
	return fips, dualstack
}

// apply points the request at the endpoint.
func (e endpoint) apply(op *operation, values map[string]any, req *smithyhttp.Request) error {
	host := e.url.Host
	if !e.configured {
		prefix, err := op.hostPrefix(values)
		if err != nil {
			return err
		}
		host = prefix + host
	}
	req.URL.Scheme, req.URL.Host = e.url.Scheme, host
	if base := strings.TrimSuffix(e.url.EscapedPath(), "/"); base != "" {
		req.URL.RawPath = base + req.URL.EscapedPath()
		req.URL.Path = strings.TrimSuffix(e.url.Path, "/") + req.URL.Path
	}
	return nil
}

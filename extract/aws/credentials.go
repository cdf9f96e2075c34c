package aws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
)

// AssumeRole is a role to take on.
type AssumeRole struct {
	RoleARN    string `yaml:"role_arn"`
	ExternalID string `yaml:"external_id,omitempty"`
	// SessionName is shown in the account's audit trail; default dewpoint.
	SessionName string `yaml:"session_name,omitempty"`
	// Duration of the session, 15 minutes to the role's maximum; default 1 h.
	// What assumes a role with a role's credentials gets 1 h at most.
	Duration time.Duration `yaml:"duration,omitempty"`
}

// AccountConfig says how an account is reached: by a profile's credentials,
// or by a role that they may assume, directly or over other roles.
type AccountConfig struct {
	// Profile is a profile of the shared config files; empty is the client's.
	Profile string `yaml:"profile,omitempty"`
	// Via are assumed first, in this order.
	Via []AssumeRole `yaml:"via,omitempty"`
	// The role in the account; an empty RoleARN is none.
	AssumeRole `yaml:",inline"`
	// Name replaces the account's alias.
	Name string `yaml:"name,omitempty"`
	// Regions are names and globs; empty is every region that is enabled.
	Regions []string `yaml:"regions,omitempty"`
}

// String names the configuration for people.
func (a AccountConfig) String() string {
	var parts []string
	if a.Profile != "" {
		parts = append(parts, "profile "+a.Profile)
	}
	for _, r := range a.Via {
		parts = append(parts, r.RoleARN)
	}
	if a.RoleARN != "" {
		parts = append(parts, a.RoleARN)
	}
	if parts == nil {
		return "default credentials"
	}
	return strings.Join(parts, " -> ")
}

// Limits of the shared transport and of the phases of a request.
const (
	dialTimeout    = 10 * time.Second
	headerTimeout  = 60 * time.Second
	idleTimeout    = 90 * time.Second
	idlePerHost    = 64
	idleConns      = 512
	connsPerHost   = 512
	expiryWindow   = 5 * time.Minute
	assumeAttempts = 8
)

func newTransport() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout = headerTimeout
			t.IdleConnTimeout = idleTimeout
			t.MaxIdleConns = idleConns
			t.MaxIdleConnsPerHost = idlePerHost
			t.MaxConnsPerHost = connsPerHost
		})
}

// loadConfig reads the environment and the shared config files.
func (c *Client) loadConfig(ctx context.Context, profile string) (sdk.Config, error) {
	opts := []func(*config.LoadOptions) error{
		config.WithHTTPClient(c.build),
		config.WithLogger(logging.Nop{}), // errors say it all
		config.WithRetryer(func() sdk.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = assumeAttempts })
		}),
	}
	if profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(profile))
	}
	if c.opts.Region != "" {
		opts = append(opts, config.WithDefaultRegion(c.opts.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		var missing config.SharedConfigProfileNotExistError
		if errors.As(err, &missing) {
			return cfg, fmt.Errorf("aws: there is no profile %q in the shared config files: check ~/.aws/config or AWS_CONFIG_FILE", missing.Profile)
		}
		return cfg, fmt.Errorf("aws: %w", err)
	}
	return cfg, nil
}

// open makes an account of its configuration. Nobody is asked for credentials
// yet.
func (c *Client) open(ctx context.Context, ac AccountConfig) (*Account, error) {
	cfg := c.base
	if ac.Profile != "" {
		var err error
		if cfg, err = c.loadConfig(ctx, ac.Profile); err != nil {
			return nil, err
		}
	}
	roles := ac.Via
	if ac.RoleARN != "" {
		roles = append(roles[:len(roles):len(roles)], ac.AssumeRole)
	}
	if cfg.Region == "" {
		cfg.Region = homeRegion(partitionOfRole(roles))
	}
	a := &Account{Region: cfg.Region, Partition: partitionOf(cfg.Region), Regions: ac.Regions, Name: ac.Name, config: &cfg}
	cfg.HTTPClient = c.http
	for _, r := range roles {
		if partitionOfARN(r.RoleARN) == "" {
			return nil, fmt.Errorf("aws: %q is not the ARN of a role, as arn:aws:iam::123456789012:role/name", r.RoleARN)
		}
		cfg.Credentials = assume(cfg, r)
	}
	a.creds = cfg.Credentials
	return a, nil
}

// assume returns the credentials of a role, which are fetched when they are
// first needed and kept until shortly before they expire.
func assume(cfg sdk.Config, r AssumeRole) sdk.CredentialsProvider {
	p := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), r.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = r.SessionName
		if r.SessionName == "" {
			o.RoleSessionName = "dewpoint"
		}
		if r.ExternalID != "" {
			o.ExternalID = &r.ExternalID
		}
		if r.Duration > 0 {
			o.Duration = r.Duration
		} else {
			o.Duration = time.Hour
		}
	})
	return sdk.NewCredentialsCache(p, func(o *sdk.CredentialsCacheOptions) {
		o.ExpiryWindow = expiryWindow
		o.ExpiryWindowJitterFrac = 0.5
	})
}

// credentialsFailure puts the SDK's chains of errors into a code and a
// sentence that says what to do.
func credentialsFailure(err error) (code, message string) {
	var api smithy.APIError
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	text := err.Error()
	var op *smithy.OperationError
	if errors.As(err, &op) && api != nil {
		text = op.ServiceID + " " + op.OperationName + ": " + api.ErrorCode() + ": " + api.ErrorMessage()
	}
	switch lower := strings.ToLower(err.Error()); {
	case strings.Contains(lower, "sso") && (code != "" || strings.Contains(lower, "token") || strings.Contains(lower, "cached")):
		return code, "the SSO session is missing or has expired: run `aws sso login`: " + text
	case code == "ExpiredToken" || code == "ExpiredTokenException" || code == "RequestExpired":
		return code, "the credentials have expired: get new ones: " + text
	case code != "":
		return code, "get credentials: " + text
	case strings.Contains(lower, "imds") || strings.Contains(lower, "no valid providers"):
		return code, "found no credentials: set AWS_PROFILE, run `aws configure` or `aws sso login`, or give the machine a role"
	}
	return code, "get credentials: " + text
}

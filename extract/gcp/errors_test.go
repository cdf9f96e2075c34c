package gcp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// info is an error of the newer shape.
func info(code int, status, reason, consumer string) string {
	return fmt.Sprintf(`{"error":{"code":%d,"message":"said","status":%q,"details":[{"@type":%q,"reason":%q,"domain":"googleapis.com","metadata":{"consumer":%q,"service":"compute.googleapis.com"}}]}}`,
		code, status, errorInfo, reason, consumer)
}

// reasons is an error of the older shape.
func reasons(code int, reason, message string) string {
	return fmt.Sprintf(`{"error":{"code":%d,"message":%q,"errors":[{"message":%q,"domain":"usageLimits","reason":%q}]}}`, code, message, message, reason)
}

const unused = "Compute Engine API has not been used in project %s before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/compute.googleapis.com/overview?project=%[1]s then retry."

func TestErrorsAreClassed(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		code   string
		class  string // denied, throttled, not_applicable, credentials, not_found, failed
		hint   string
	}{
		"disabled here, by number":      {403, info(403, "PERMISSION_DENIED", "SERVICE_DISABLED", "projects/123456"), "SERVICE_DISABLED", "not_applicable", ""},
		"disabled here, by id":          {403, info(403, "PERMISSION_DENIED", "SERVICE_DISABLED", "projects/shop-prod"), "SERVICE_DISABLED", "not_applicable", ""},
		"disabled in the quota project": {403, info(403, "PERMISSION_DENIED", "SERVICE_DISABLED", "projects/777"), "SERVICE_DISABLED", "failed", "not enabled in 777, the project whose quota is used"},
		"disabled who knows where":      {403, info(403, "PERMISSION_DENIED", "SERVICE_DISABLED", ""), "SERVICE_DISABLED", "failed", "does not say which project"},
		"older, here":                   {403, reasons(403, "accessNotConfigured", fmt.Sprintf(unused, "123456")), "accessNotConfigured", "not_applicable", ""},
		"older, elsewhere":              {403, reasons(403, "accessNotConfigured", fmt.Sprintf(unused, "777")), "accessNotConfigured", "failed", "not enabled in 777"},
		"older, unsaid":                 {403, reasons(403, "accessNotConfigured", "Access Not Configured."), "accessNotConfigured", "failed", "does not say which project"},
		"denied":                        {403, info(403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED", ""), "IAM_PERMISSION_DENIED", "denied", ""},
		"denied, without a reason":      {403, `{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}`, "PERMISSION_DENIED", "denied", ""},
		"denied, older":                 {403, reasons(403, "forbidden", "Required 'compute.instances.list' permission"), "forbidden", "denied", ""},
		"perimeter":                     {403, info(403, "PERMISSION_DENIED", "SECURITY_POLICY_VIOLATED", "projects/123456"), "SECURITY_POLICY_VIOLATED", "denied", "VPC Service Controls"},
		"perimeter, older":              {403, reasons(403, "vpcServiceControls", "Request is prohibited by organization's policy."), "vpcServiceControls", "denied", "VPC Service Controls"},
		"no billing":                    {403, info(403, "PERMISSION_DENIED", "BILLING_DISABLED", "projects/123456"), "BILLING_DISABLED", "failed", "no billing account"},
		"no consumer":                   {403, info(403, "PERMISSION_DENIED", "CONSUMER_INVALID", "projects/123456"), "CONSUMER_INVALID", "failed", ""},
		"quota project denied":          {403, info(403, "PERMISSION_DENIED", "USER_PROJECT_DENIED", "projects/billing"), "USER_PROJECT_DENIED", "failed", "serviceUsageConsumer"},
		"rate, 403":                     {403, reasons(403, "rateLimitExceeded", "slow down"), "rateLimitExceeded", "throttled", ""},
		"rate, per user":                {403, reasons(403, "userRateLimitExceeded", "slow down"), "userRateLimitExceeded", "throttled", ""},
		"rate, 429":                     {429, info(429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED", ""), "RATE_LIMIT_EXCEEDED", "throttled", ""},
		"quota of the day":              {403, reasons(403, "dailyLimitExceeded", "tomorrow"), "dailyLimitExceeded", "throttled", ""},
		"gone":                          {404, reasons(404, "notFound", "The resource 'projects/shop-prod' was not found"), "notFound", "not_found", ""},
		"expired":                       {401, `{"error":{"code":401,"message":"expired","status":"UNAUTHENTICATED"}}`, "UNAUTHENTICATED", "credentials", "gcloud auth application-default login"},
		"in a list":                     {403, `[{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}]`, "PERMISSION_DENIED", "denied", ""},
		"an OAuth server's":             {400, `{"error":"invalid_grant","error_description":"Bad Request"}`, "400", "failed", ""},
		"a proxy's":                     {502, `<html><title>Bad Gateway</title>`, "502", "failed", ""},
		"nothing":                       {500, ``, "500", "failed", ""},
	} {
		f := serve(t, say(tc.status, tc.body))
		c := client(t, Options{Endpoints: map[string]string{"*": f.URL}, MaxAttempts: 1})
		_, err := c.Do(t.Context(), instances(t))
		var e *APIError
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := "failed"
		for class, is := range map[string]bool{
			"denied": e.Denied(), "throttled": e.Throttled(), "not_applicable": e.NotApplicable(), "credentials": e.Credentials(), "not_found": e.NotFound(),
		} {
			if is {
				if got != "failed" {
					t.Errorf("%s is %s and %s", name, got, class)
				}
				got = class
			}
		}
		if got != tc.class || e.Code != tc.code {
			t.Errorf("%s: %s %s, want %s %s", name, got, e.Code, tc.class, tc.code)
		}
		if !strings.HasPrefix(err.Error(), "in shop-prod/global: compute.v1 instances.aggregatedList: ") || !strings.Contains(err.Error(), tc.hint) {
			t.Errorf("%s: %s", name, err)
		}
		if !e.HasCode(fmt.Sprint(tc.status)) || !e.HasCode("x", tc.code) || e.HasCode("", "x") {
			t.Errorf("%s: codes of %+v", name, e)
		}
	}
}

func TestTokensAreConcealed(t *testing.T) {
	for status, body := range map[int]string{
		400: `{"error":{"code":400,"message":"Invalid: Bearer ` + testToken + `"}}`,
		502: `<html>Bearer ` + testToken,
		200: `<html>Bearer ` + testToken,
	} {
		f := serve(t, say(status, body))
		_, err := client(t, Options{Endpoints: map[string]string{"*": f.URL}, MaxAttempts: 1}).Do(t.Context(), instances(t))
		if err == nil || strings.Contains(err.Error(), testToken) || !strings.Contains(err.Error(), "***") {
			t.Error(err)
		}
	}
}

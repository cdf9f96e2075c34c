package objects

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// keyError is what DeleteObjects says of one key.
type keyError struct{ code, message string }

func (e *keyError) Error() string { return e.code + ": " + e.message }

// name names an object for people.
func (b *bucket) name(key string) string { return "s3://" + b.l.bucket + "/" + b.l.prefix + key }

// statusOf returns the status of an answer, 0 where none came.
func statusOf(err error) int {
	var r *awshttp.ResponseError
	if errors.As(err, &r) {
		return r.HTTPStatusCode()
	}
	return 0
}

// fail says what was done, where, what went wrong and what to do about it.
func (b *bucket) fail(op, key string, err error) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	var code, text string
	if errors.As(err, &api) {
		code, text = api.ErrorCode(), api.ErrorMessage()
	}
	var of *keyError
	if errors.As(err, &of) {
		code, text = of.code, of.message
	}
	status := statusOf(err)
	where := op + " " + b.name(key)
	switch {
	case code == "NoSuchBucket":
		return fmt.Errorf("%s: there is no bucket %s: create it, or correct the URL", where, b.l.bucket)
	case status == http.StatusMovedPermanently || code == "PermanentRedirect" || code == "AuthorizationHeaderMalformed" || code == "IllegalLocationConstraintException":
		region := regionOf(err, text)
		if region == "" {
			region = "REGION"
		}
		return fmt.Errorf("%s: the bucket is in another region than %s: add ?region=%s to the URL, or set AWS_REGION", where, b.client.Options().Region, region)
	case code == "NoSuchKey" || code == "NotFound" || status == http.StatusNotFound && code == "":
		return fmt.Errorf("%s: %w", where, fs.ErrNotExist)
	case status == http.StatusPreconditionFailed:
		return fmt.Errorf("%s: %w", where, ErrChanged)
	case code == "SignatureDoesNotMatch":
		return fmt.Errorf("%s: %s: the secret access key does not belong to the access key id: check AWS_SECRET_ACCESS_KEY or the profile", where, code)
	case code == "InvalidAccessKeyId":
		return fmt.Errorf("%s: %s: the server does not know the access key id: check AWS_ACCESS_KEY_ID, the profile and the endpoint", where, code)
	case code == "ExpiredToken" || code == "TokenRefreshRequired":
		return fmt.Errorf("%s: %s: the session has ended: sign in again, or renew AWS_SESSION_TOKEN", where, code)
	case code == "RequestTimeTooSkewed":
		return fmt.Errorf("%s: %s: set this machine's clock", where, code)
	case code == "AccessDenied" || status == http.StatusForbidden:
		return fmt.Errorf("%s: AccessDenied: allow s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload on arn:aws:s3:::%s/%s* and s3:ListBucket, s3:ListBucketMultipartUploads on the bucket%s",
			where, b.l.bucket, b.l.prefix, requestID(err))
	case status == http.StatusServiceUnavailable || code == "SlowDown":
		return fmt.Errorf("%s: %s after %d attempts: the server is overloaded: try again later%s", where, orDefault(code, "503"), b.p.attempts, requestID(err))
	case code != "":
		return fmt.Errorf("%s: %s: %s%s", where, code, text, requestID(err))
	case strings.Contains(err.Error(), "get identity: get credentials"):
		return fmt.Errorf("%s: no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile by ?profile= or AWS_PROFILE: %w", where, cause(err))
	case b.client.Options().Region == "":
		return fmt.Errorf("%s: no region is set: add ?region=REGION to the URL, or set AWS_REGION", where)
	}
	return fmt.Errorf("%s: %w", where, cause(err))
}

// cause takes the SDK's own words from around an error.
func cause(err error) error {
	var op *smithy.OperationError
	if errors.As(err, &op) {
		err = op.Err
	}
	var exceeded *aws.RequestCanceledError
	if errors.As(err, &exceeded) {
		return exceeded.Err
	}
	return err
}

// regionOf returns where a server says that the bucket is.
func regionOf(err error, text string) string {
	var r *awshttp.ResponseError
	if errors.As(err, &r) && r.HTTPResponse() != nil {
		if region := r.HTTPResponse().Header.Get("X-Amz-Bucket-Region"); region != "" {
			return region
		}
	}
	_, rest, _ := strings.Cut(text, "expecting ")
	return strings.Trim(rest, `'"`)
}

func requestID(err error) string {
	var r *awshttp.ResponseError
	if errors.As(err, &r) && r.ServiceRequestID() != "" {
		return " (request " + r.ServiceRequestID() + ")"
	}
	return ""
}

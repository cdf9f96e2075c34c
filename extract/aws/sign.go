package aws

import (
	"context"
	"net/http"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// signed reports whether the operation takes credentials.
func (o *operation) signed() bool {
	return !o.op.Unsigned && o.svc.Signature != "none"
}

// sign signs the built request as of the given time, which is the service's
// as far as it is known.
func (k *call) sign(ctx context.Context, hreq *http.Request, at time.Time) error {
	s3 := k.op.svc.Signature == "s3"
	if s3 {
		hreq.Header.Set("X-Amz-Content-Sha256", k.hash)
	}
	return k.c.signer.SignHTTP(ctx, k.credentials, hreq, k.hash, k.endpoint.signingName, k.endpoint.signingRegion, at, func(o *v4.SignerOptions) {
		// S3 takes the path as it was sent; all others escape it once more.
		o.DisableURIPathEscaping = s3
	})
}

package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// signed reports whether the operation takes credentials.
func (o *operation) signed() bool {
	return !o.op.Unsigned && o.svc.Signature != "none"
}

// sign signs the built request as of the given time, which is the service's
// as far as it is known.
func (c *Client) sign(ctx context.Context, hreq *http.Request, req *smithyhttp.Request, k *call, at time.Time) error {
	hash, err := payloadHash(req)
	if err != nil {
		return err
	}
	s3 := k.op.svc.Signature == "s3"
	if s3 {
		hreq.Header.Set("X-Amz-Content-Sha256", hash)
	}
	return c.signer.SignHTTP(ctx, k.credentials, hreq, hash, k.endpoint.signingName, k.endpoint.signingRegion, at, func(o *v4.SignerOptions) {
		// S3 takes the path as it was sent; all others escape it once more.
		o.DisableURIPathEscaping = s3
	})
}

// payloadHash is the body's SHA-256 in hex.
func payloadHash(req *smithyhttp.Request) (string, error) {
	h := sha256.New()
	if s := req.GetStream(); s != nil {
		if _, err := io.Copy(h, s); err != nil {
			return "", err
		}
		if err := req.RewindStream(); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

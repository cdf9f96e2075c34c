package objects

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// patience says how much a server is forgiven.
type patience struct {
	attempts int           // of one request
	stall    time.Duration // that a connection may stand still
}

// patient gives an overloaded server about a minute.
func patient() patience { return patience{attempts: 13, stall: 60 * time.Second} }

// cleanupTimeout bounds what is done after a failure or a cancellation.
const cleanupTimeout = 30 * time.Second

// backoff is the wait after a failed attempt, which counts from 0.
func backoff(attempt int) time.Duration {
	d := min(50*time.Millisecond<<min(attempt, 20), 15*time.Second)
	return d/2 + rand.N(d/2)
}

// again waits before the next attempt. It returns the error where another
// attempt is no use or was the last one; attempt counts from 1.
func (p patience) again(ctx context.Context, attempt int, err error) error {
	if cerr := ctx.Err(); cerr != nil {
		return cerr
	}
	if attempt >= p.attempts || !passing(err) {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(backoff(attempt - 1)):
		return nil
	}
}

// passing says whether an error of a connection or a single object may be gone
// the next time.
func passing(err error) bool {
	var key *keyError
	var answer *answerError
	var network net.Error
	switch {
	case errors.As(err, &key):
		return key.code == "InternalError" || key.code == "SlowDown" || key.code == "ServiceUnavailable"
	case errors.As(err, &answer):
		switch answer.status {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	case errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, errBadBytes):
		return true
	}
	return false
}

// withoutURL takes the URL from an error of a request: it may name a session.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// errBadBytes says that bytes were received that are not those stored.
var errBadBytes = errors.New("the bytes received have another checksum than those stored")

// buffers keeps buffers of parts that are stored for those to come.
type buffers chan []byte

func (b buffers) get() []byte {
	select {
	case p := <-b:
		return p
	default:
		return nil
	}
}

func (b buffers) put(p []byte) {
	select {
	case b <- p[:0]:
	default:
	}
}

// movingConn fails reads and writes that stand still.
type movingConn struct {
	net.Conn
	stall time.Duration
}

func (c *movingConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *movingConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// crc32c is the checksum of data as S3 and Google Cloud Storage write it.
func crc32c(data []byte) string { return encodeCRC32C(crc32.Checksum(data, castagnoli)) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeCRC32C(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// md5Tag is the ETag that S3 gives to an object that was written at once.
func md5Tag(data []byte) string {
	sum := md5.Sum(data)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func isMD5(tag string) bool {
	if len(tag) != 34 || tag[0] != '"' || tag[33] != '"' {
		return false
	}
	_, err := hex.DecodeString(tag[1:33])
	return err == nil
}

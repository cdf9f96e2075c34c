package objects

import (
	"context"
	"io"
)

// Reader reads one version of an object. Each ReadAt on a bucket is a request
// of its own: what is read whole goes by WriteTo, which io.Copy calls. ReadAt
// is safe for concurrent use.
type Reader struct {
	*io.SectionReader
	info Info
	src  source
}

// source is a version of an object.
type source interface {
	io.ReaderAt
	// stream reads from the offset to the end.
	stream(offset int64) (io.ReadCloser, error)
	Close() error
}

func newReader(info Info, src source) *Reader {
	return &Reader{SectionReader: io.NewSectionReader(src, 0, info.Size), info: info, src: src}
}

// Info describes the version.
func (r *Reader) Info() Info { return r.info }

// WriteTo writes the rest of the object, in as few requests as it takes.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	offset, err := r.Seek(0, io.SeekCurrent)
	if err != nil || offset >= r.info.Size {
		return 0, err
	}
	body, err := r.src.stream(offset)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(w, body)
	if cerr := body.Close(); err == nil {
		err = cerr
	}
	if err == nil && offset+n != r.info.Size {
		err = io.ErrUnexpectedEOF
	}
	if _, serr := r.Seek(offset+n, io.SeekStart); err == nil {
		err = serr
	}
	return n, err
}

// Close ends the reading.
func (r *Reader) Close() error { return r.src.Close() }

// ranges is a source that asks a server for ranges of bytes.
type ranges struct {
	ctx  context.Context
	size int64
	// get asks for n bytes from the offset; n > 0. Its errors are final.
	get func(ctx context.Context, offset, n int64) (io.ReadCloser, error)
	// again waits before another attempt, or returns the error as it is when
	// there is to be none. attempt counts from 1.
	again func(ctx context.Context, attempt int, err error) error
}

func (s *ranges) ReadAt(p []byte, offset int64) (int, error) {
	if offset >= s.size {
		return 0, io.EOF
	}
	want := int(min(int64(len(p)), s.size-offset))
	if want == 0 {
		return 0, nil
	}
	body := &resuming{s: s, offset: offset, end: offset + int64(want)}
	defer body.Close()
	n, err := io.ReadFull(body, p[:want])
	if err == nil && want < len(p) {
		err = io.EOF
	}
	return n, err
}

func (s *ranges) stream(offset int64) (io.ReadCloser, error) {
	return &resuming{s: s, offset: offset, end: s.size}, nil
}

func (s *ranges) Close() error { return nil }

// resuming reads a range and asks for the rest of it when the connection
// breaks.
type resuming struct {
	s           *ranges
	offset, end int64
	body        io.ReadCloser
	failed      int // attempts since the last byte
}

func (r *resuming) Read(p []byte) (int, error) {
	for r.offset < r.end {
		if r.body == nil {
			body, err := r.s.get(r.s.ctx, r.offset, r.end-r.offset)
			if err != nil {
				return 0, err
			}
			r.body = body
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.end-r.offset)])
		r.offset += int64(n)
		if n > 0 {
			r.failed = 0
			return n, nil
		}
		if err == nil {
			continue
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		r.Close()
		r.failed++
		if err := r.s.again(r.s.ctx, r.failed, err); err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}

func (r *resuming) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}

package objects

import (
	"context"
	"errors"
)

func openS3(context.Context, location) (Store, error) {
	return nil, errors.New("objects: s3: is not built in")
}

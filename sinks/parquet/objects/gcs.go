package objects

import (
	"context"
	"errors"
)

func openGCS(context.Context, location) (Store, error) {
	return nil, errors.New("objects: gs: is not built in")
}

package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/react/notify"
)

// courier delivers messages, and what programs are given, at least once: they
// are in the outbox until they are taken.
type courier struct {
	config *Config
	sender *notify.Sender
	log    *slog.Logger
}

// The kinds of parcels.
const (
	messageParcel = "message"
	programParcel = "program"
)

// How old a parcel is that nobody is delivering any more, and one that is given
// up.
const (
	abandoned = 15 * time.Minute
	givenUp   = 24 * time.Hour
)

// keep puts a parcel into the outbox. The function returned takes it out when
// it was delivered, or cannot ever be. Where there is no outbox yet, or it
// cannot be reached, what is to be said is said nevertheless.
func (r *courier) keep(ctx context.Context, kind, to, key string, body any) (end func(delivered bool)) {
	p := react.Parcel{ID: uuid.NewSHA1(uuid.NameSpaceOID, []byte(kind+"\x00"+to+"\x00"+key)), At: time.Now().UTC(), Kind: kind, To: to}
	var err error
	if p.Body, err = json.Marshal(body); err == nil {
		err = r.outbox(ctx, func(o react.Outbox) error { return o.PutParcel(ctx, p) })
	}
	if err != nil {
		r.log.Debug("not in the outbox", "to", to, "error", err.Error())
		return func(bool) {}
	}
	return func(delivered bool) {
		if delivered {
			r.drop(ctx, p.ID)
		}
	}
}

func (r *courier) drop(ctx context.Context, id uuid.UUID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := r.outbox(ctx, func(o react.Outbox) error { return o.DropParcel(ctx, id) }); err != nil {
		// It is delivered once more, under its key.
		r.log.Warn("the outbox", "error", err.Error())
	}
}

func (r *courier) outbox(ctx context.Context, f func(react.Outbox) error) (err error) {
	store, err := OpenStore(ctx, r.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	o, ok := store.(react.Outbox)
	if !ok {
		return errors.New("the state has no outbox")
	}
	return f(o)
}

// send sends a message to channels; one that fails leaves the others alone. What
// a receiver does not take for now is sent again by the next round.
func (r *courier) send(ctx context.Context, channels []string, m *notify.Message) error {
	var failed []error
	for _, name := range channels {
		end := r.keep(ctx, messageParcel, name, m.Key, m)
		err := r.sender.Send(ctx, name, r.config.Notify[name], m)
		end(!notify.Temporary(err))
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// again delivers what an earlier round could not, or did not come to.
func (r *courier) again(ctx context.Context, program func(ctx context.Context, job string, body json.RawMessage) error) error {
	var parcels []react.Parcel
	err := r.outbox(ctx, func(o react.Outbox) (err error) {
		parcels, err = o.Parcels(ctx)
		return err
	})
	if err != nil {
		return nil // a database that is not there yet has none
	}
	var failed []error
	for _, p := range parcels {
		age := time.Since(p.At)
		if age < abandoned || ctx.Err() != nil {
			continue
		}
		err := r.deliver(ctx, p, program)
		switch {
		case err == nil:
			r.log.Info("delivered late", "kind", p.Kind, "to", p.To, "since", p.At)
		case notify.Temporary(err) && age < givenUp:
			failed = append(failed, err)
			continue
		case ctx.Err() != nil:
			continue
		default:
			failed = append(failed, fmt.Errorf("given up: %w", err))
		}
		r.drop(ctx, p.ID)
	}
	return errors.Join(failed...)
}

func (r *courier) deliver(ctx context.Context, p react.Parcel, program func(context.Context, string, json.RawMessage) error) error {
	if p.Kind == programParcel {
		return program(ctx, p.To, p.Body)
	}
	c := r.config.Notify[p.To]
	if c == nil {
		return fmt.Errorf("the channel %s is no longer there", p.To)
	}
	var m notify.Message
	if err := json.Unmarshal(p.Body, &m); err != nil {
		return err
	}
	return r.sender.Send(ctx, p.To, c, &m)
}

// exec runs the program of a job.
func (r *jobRunner) exec(ctx context.Context, name string, in *JobInput) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	end := r.keep(ctx, programParcel, name, in.Key, json.RawMessage(body))
	err = r.program(ctx, name, body)
	// One that was stopped is run again; one that failed has run.
	end(!errors.Is(ctx.Err(), context.Canceled))
	return err
}

// program runs the program of a job with what it is given.
func (r *jobRunner) program(ctx context.Context, name string, body json.RawMessage) error {
	j := r.config.Jobs[name]
	if j == nil || j.Exec == nil {
		return fmt.Errorf("the job %s is no longer there", name)
	}
	var in JobInput
	if err := json.Unmarshal(body, &in); err != nil {
		return err
	}
	e := in.Event
	return j.Exec.Run(ctx, body, map[string]string{
		"DEWPOINT_JOB": name, "DEWPOINT_EVENT": string(e.Name), "DEWPOINT_KEY": in.Key, "DEWPOINT_CYCLE_ID": e.Cycle.String(), "DEWPOINT_SYNC_ID": e.Sync, "DEWPOINT_STATE": e.State,
	}, func(line string) { r.log.Info(line, "job", name) })
}

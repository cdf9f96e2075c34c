package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// openTracer opens what sends traces by OTLP over HTTP, if the environment says
// whereto; else there is none and nothing is sent. flush sends what is left.
func openTracer(ctx context.Context, log *slog.Logger) (t trace.Tracer, flush func(), err error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return nil, func() {}, nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are not sent", "error", err.Error()) }))
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("open what sends traces: %w", err)
	}
	// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before.
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "dewpoint"), attribute.String("service.version", buildVersion())),
		resource.WithFromEnv(), resource.WithHost())
	if err != nil {
		return nil, nil, fmt.Errorf("open what sends traces: %w", err)
	}
	p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return p.Tracer("github.com/dewpoint-data/dewpoint"), func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		// A collector that is away is no failure of dewpoint's.
		_ = p.Shutdown(ctx)
	}, nil
}

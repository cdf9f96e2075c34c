// Package browser opens dashboards in Chromium, as their users do.
package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// width is that of the window, in pixels.
const width = 1440

// Open starts Chromium. The returned context is a tab of it, until cancel.
func Open(ctx context.Context, program string) (context.Context, context.CancelFunc, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(width, 1000),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("force-color-profile", "srgb"))
	allocated, end := chromedp.NewExecAllocator(ctx, options...)
	tab, cancel := chromedp.NewContext(allocated)
	// The browser ends with the context of its first call.
	return tab, func() { cancel(); end() }, chromedp.Run(tab)
}

// LogIn logs in to Superset.
func LogIn(tab context.Context, url, username, password string) error {
	ctx, cancel := context.WithTimeout(tab, 2*time.Minute)
	defer cancel()
	return chromedp.Run(ctx,
		chromedp.Navigate(url+"/login/"),
		chromedp.WaitVisible("input[type=password]"),
		chromedp.SendKeys("#username, input[name=username], [data-test=username-input]", username),
		chromedp.SendKeys("input[type=password]", password+"\r"),
		chromedp.ActionFunc(func(ctx context.Context) error {
			for ctx.Err() == nil {
				var path string
				// The page is between two documents while it fails.
				if err := chromedp.Evaluate("location.pathname", &path).Do(ctx); err == nil && !strings.HasPrefix(path, "/login") {
					return nil
				}
				pause(ctx)
			}
			return fmt.Errorf("log in to %s: %w", url, ctx.Err())
		}),
	)
}

// pause waits half a second, at most until the context ends.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(500 * time.Millisecond):
	}
}

// Shown is what a dashboard shows.
type Shown struct {
	// Charts are the titles of the charts that are drawn.
	Charts []string `json:"charts"`
	// Errors are the texts of charts that show an error or nothing.
	Errors []string `json:"errors"`
	// Rows are how many rows each chart's query returned.
	Rows []int `json:"-"`
	// Filtered is how many of the queries ask for one cloud.
	Filtered int `json:"-"`
	// PNG is a picture of the whole dashboard.
	PNG []byte `json:"-"`
}

// state asks a dashboard of Superset for its charts, once none of them loads.
const state = `(() => {
	const holders = [...document.querySelectorAll('.dashboard-component-chart-holder')];
	const text = e => (e.innerText || '').trim();
	const title = h => text(h.querySelector('[data-test="editable-title"], .header-title') || h);
	const drawn = h => !h.querySelector('[data-test="loading-indicator"], .loading') &&
		h.querySelector('canvas, table, .superset-legacy-chart-big-number, [class*="header-line"], .chart-container svg, .ant-alert, .ant-empty');
	return {
		wanted: holders.length,
		charts: holders.filter(drawn).map(title),
		errors: holders.filter(h => h.querySelector('.ant-alert, .ant-empty, [data-test="error-container"]')).map(text),
		height: Math.ceil(Math.max(...holders.map(h => h.getBoundingClientRect().bottom + window.scrollY), 0)),
	};
})()`

// Look opens a dashboard of Superset with so many charts, waits until all are
// drawn and takes a picture.
func Look(tab context.Context, url string, charts int) (*Shown, error) {
	ctx, cancel := context.WithTimeout(tab, 5*time.Minute)
	defer cancel()
	answers := listen(ctx)
	var now struct {
		Shown
		Wanted int `json:"wanted"`
		Height int `json:"height"`
	}
	steady := 0
	err := chromedp.Run(ctx,
		network.Enable(),
		emulation.SetDeviceMetricsOverride(width, 3000, 1, false),
		chromedp.Navigate(url),
		chromedp.ActionFunc(func(ctx context.Context) error {
			for steady < 4 { // nothing has moved for two seconds: animations have ended
				before := len(now.Charts)
				if err := chromedp.Evaluate(state, &now).Do(ctx); err != nil {
					return err
				}
				if now.Wanted == charts && len(now.Charts) == charts && before == charts {
					steady++
				} else {
					steady = 0
				}
				if pause(ctx); ctx.Err() != nil {
					return fmt.Errorf("%d of %d charts are drawn: %q", len(now.Charts), charts, now.Charts)
				}
			}
			return nil
		}),
		chromedp.ActionFunc(func(ctx context.Context) (err error) {
			now.PNG, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng).
				WithClip(&page.Viewport{Width: width, Height: float64(now.Height + 16), Scale: 1}).Do(ctx)
			return err
		}),
	)
	if err != nil {
		return &now.Shown, fmt.Errorf("%s: %w", url, err)
	}
	err = answers.read(ctx, &now.Shown)
	return &now.Shown, err
}

// answers are those to queries of charts.
type answers struct {
	mu  sync.Mutex
	ids []network.RequestID
}

func listen(ctx context.Context) *answers {
	a := &answers{}
	chromedp.ListenTarget(ctx, func(ev any) {
		if e, ok := ev.(*network.EventResponseReceived); ok && strings.Contains(e.Response.URL, "/api/v1/chart/data?form_data") {
			a.mu.Lock()
			a.ids = append(a.ids, e.RequestID)
			a.mu.Unlock()
		}
	})
	return a
}

// read adds what the answers tell to what is shown.
func (a *answers) read(tab context.Context, shown *Shown) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return chromedp.Run(tab, chromedp.ActionFunc(func(ctx context.Context) error {
		for _, id := range a.ids {
			text, err := network.GetResponseBody(id).Do(ctx)
			if err != nil {
				return err
			}
			var answer struct {
				Result []struct {
					Rows  int    `json:"rowcount"`
					Error string `json:"error"`
					Query string `json:"query"`
				} `json:"result"`
			}
			if err := json.Unmarshal(text, &answer); err != nil {
				return err
			}
			for _, r := range answer.Result {
				if r.Error != "" {
					return fmt.Errorf("a chart's query: %s", r.Error)
				}
				shown.Rows = append(shown.Rows, r.Rows)
				if strings.Contains(r.Query, "cloud IN ('aws')") {
					shown.Filtered++
				}
			}
		}
		return nil
	}))
}

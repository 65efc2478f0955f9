// Package vul takes the place of k9s's scanner of images, which nothing here shows and which is three quarters of what there
// would be to compile: one that has scanned nothing.
package vul

import (
	"context"
	"log/slog"

	"github.com/derailed/k9s/internal/config"
)

type imageScanner struct{}

// ImgScanner is what k9s asks.
var ImgScanner *imageScanner

// Scan is of one image.
type Scan struct {
	Table *table
}

func NewImageScanner(config.ImageScans, *slog.Logger) *imageScanner { return &imageScanner{} }

func (*imageScanner) Init(_, _ string)                              {}
func (*imageScanner) Stop()                                         {}
func (*imageScanner) Enqueue(context.Context, ...string)            {}
func (*imageScanner) IsInitialized() bool                           { return false }
func (*imageScanner) ShouldExcludes(string, map[string]string) bool { return true }
func (*imageScanner) Score(...string) string                        { return "" }
func (*imageScanner) GetScan(string) (*Scan, bool)                  { return nil, false }

func colorize(row []string) []string { return row }

package transfer

import (
	"testing"

	"github.com/empegsync/empegsync/pkg/memdir"
)

func TestMain(m *testing.M) { memdir.Main(m) }

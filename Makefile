# make check runs everything that must hold before a change lands; each part is a target of its own.

GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Packages with goroutines of their own, tested under the race detector. What else there is in cpu/internal runs in theirs.
CONCURRENT   = ./cpu $(addprefix ./cpu/internal/,kernel pool) ./data
# In the others goroutines are those of tests (TestRaceSeesTestsWithGoroutines wants all of these here) and those of an engine and a data set, which
# some training runs have to show.
AT_ONCE      = AtOnce|Concurrent|Goroutines|Race|TapeMachine|FeaturesResume|RawBatches|PictureEnds|CutoutAndMixup|EvaluationFollows

.PHONY: check fmt vet staticcheck lattice test race checkptr purego cross generate bench bench-gorgonia bench-peers bench-families \
	sim gpu-build gpu-link-check gpu-vet gpu-test gpu-test-engine gpu-test-others gpu-races gpu-compile gpu-bins gpu gpu-all gpu-bench gpu-sanitize gpu-train

check: fmt vet staticcheck lattice test purego cross generate race checkptr

fmt: ; @unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "gofmt wants to change:"; echo "$$unformatted"; exit 1; }

# The peer in a module of its own needs the module proxy, or its modules in the cache.
vet:
	$(GO) vet ./...
	$(GO) -C bench/peers/gomlx vet .

staticcheck: ; $(GO) run $(STATICCHECK) ./...

lattice: ; $(GO) test -run TestImportsFollowTheLattice .

test: ; $(GO) test ./...

# The race detector needs a C compiler; -short leaves out what takes long without adding goroutines, and so do numtest.Race, -skip and, of the
# matrix products, -run: fewer threads, and the same goroutines with other kernels. What products hand to sinks and watchers, kernel's tests see.
RACE = CGO_ENABLED=1 $(GO) test -race -short -timeout 30m -gcflags=./cpu/...=-d=checkptr=0
race:
	$(RACE) -skip '^TestConformance$$/^[12]_threads$$|^TestConformanceOfLowerLevels$$|^TestThreadsDoNotChange(Ops|Updates)$$' $(CONCURRENT)
	$(RACE) -run '$(AT_ONCE)' ./graph ./graph/op ./internal/memcopy ./train ./train/tensorboard
	$(RACE) -run Threads ./cpu/internal/gemm

# The race detector's checks of pointers, which take half of the time in plain Go's matrix products, are made without it. Between plain Go and
# the best instruction set there is nothing for them but assembly; what is done with results, and by several threads, has the same pointers.
checkptr: ; $(GO) test -short -skip '^Test/./^avx2$$|^TestNoAllocation$$|^TestSink$$|^TestWatch$$|OnAnyNumberOfThreads$$' -gcflags=./cpu/internal/gemm=-d=checkptr ./cpu/internal/gemm

# Without assembly: the command, which imports every package with some, builds, and the kernels' tests pass.
purego: ; $(GO) build -tags purego -o /dev/null ./cmd/stheno && $(GO) vet -tags purego ./cpu/internal/... && $(GO) test -short -tags purego -skip '$(ELSEWHERE)' ./cpu/...
# What has the same Go code in go test under STHENO_CPU=generic, or none that a tag changes.
ELSEWHERE = ^TestConformance$$/^[13]_threads$$|^TestConformanceOfLowerLevels$$|^TestThreadsDoNotChange(Ops|Updates)$$|^TestEveryKernelHasACase$$

# For other systems: the types of everything are right, tests too, go vet looks at the files that others than Linux have, and the command links for
# two, which have each system's and each processor's files once. Without optimization and debugger's tables, which take a third of the time.
cross:
	$(GO) run ./scripts/cross linux/arm64 windows/amd64 darwin/arm64
	GOOS=darwin GOARCH=arm64 $(LINK)
	GOOS=windows GOARCH=amd64 $(LINK)
	for p in $(SYSTEMS); do (cd $$p && GOOS=windows GOARCH=amd64 $(GO) vet $(PLAIN) $$(GOOS=windows $(GO) list -f '{{join .GoFiles " "}}')) || exit 1; done
SYSTEMS = bench bench/peers/run cmd/stheno cpu data internal/host train
PLAIN = -gcflags='all=-N -l -dwarf=false'
LINK  = $(GO) build $(PLAIN) -ldflags=-w -o /dev/null ./cmd/stheno

# The simulated CUDA, for tests without a GPU: see cuda/internal/sim/README.md.
sim: ; sh cuda/internal/sim/src/build.sh .build/sim

# The committed assembly is what its generator writes.
generate: ; GO=$(GO) cpu/_asm/check.sh

# The time of whole training steps.
bench: ; $(GO) test -run '^$$' -bench BenchmarkStep -benchtime 3s ./train

# Gorgonia's tape machine and ours in turn; the table goes into bench/results/gorgonia.md. Takes some minutes.
bench-gorgonia: ; $(GO) run ./bench/gorgonia -out bench/results/gorgonia.md

# Ours, PyTorch, ONNX Runtime, JAX, GoMLX and Gorgonia in turns: see bench/peers/README.md. PEERS has further flags.
PYTHON_TORCH       ?= python3
PYTHON_TORCH2      ?= python3
PYTHON_ONNXRUNTIME ?= python3
PYTHON_JAX         ?= python3
bench-peers:
	$(GO) run ./bench/peers/run -python-torch $(PYTHON_TORCH) -python-torch2 $(PYTHON_TORCH2) -python-onnxruntime $(PYTHON_ONNXRUNTIME) \
		-python-jax $(PYTHON_JAX) -out bench/results/cpu.md $(PEERS)

# One network of each further family: MobileNet, EfficientNet, ConvNeXt, vision transformers and so on.
bench-families: ; $(MAKE) bench-peers PEERS='-families -record .build/peers/families.json -out bench/results/families.md $(PEERS)'

# The CUDA engine: docs/cuda.md. The script finds cuda.h or downloads it, and stands in for the driver's library; a GPU is not
# needed to build.
GPU = GO=$(GO) bash scripts/gpu-env.sh

# TRIMPATH= builds with the flags of the tests, and takes what was compiled for them.
TRIMPATH = -trimpath
gpu-build: ; $(GPU) $(GO) build -tags gpu $(TRIMPATH) -o bin/stheno-gpu ./cmd/stheno

# The program depends on the C library alone, and starts.
gpu-link-check: gpu-build
	@ldd bin/stheno-gpu
	@if ldd bin/stheno-gpu | grep -iE 'cuda|cudnn|cublas|nvrtc|not found'; then echo "bin/stheno-gpu must find these when it runs, not when it starts"; exit 1; fi
	./bin/stheno-gpu version

gpu-vet:
	$(GPU) $(GO) vet -tags gpu ./cuda/... ./cmd/... ./train/... ./graph/...
	$(GPU) $(GO) run $(STATICCHECK) -tags gpu ./cuda/... ./cmd/... ./train/... ./graph/...

# The tests of the CUDA engine: on the simulated GPU (cuda/internal/sim), which runs the kernels themselves, on the CPU; then what
# there is without a driver.
SIM_GPU = LD_LIBRARY_PATH=$(CURDIR)/.build/sim
gpu-test: sim gpu-build
	$(SIM_GPU) ./bin/stheno-gpu devices | grep '^cuda:0 is'
	@if $(SIM_GPU) ./bin/stheno-gpu devices --verbose | grep missing; then echo "the tests would pass by the libraries that are missing"; exit 1; fi
	$(MAKE) -j2 gpu-test-engine gpu-test-others

# Most of these are of one package, and take one CPU.
gpu-test-engine: ; $(SIM_GPU) $(GPU) $(GO) test -count=1 -short -tags gpu ./cuda/...

gpu-test-others:
	STHENO_SIM_ORDER=reverse $(SIM_GPU) $(GPU) $(GO) test -count=1 -short -tags gpu -run 'TestConformance$$/own' ./cuda
	$(SIM_GPU) $(GPU) $(GO) test -count=1 -short -race -tags gpu -run 'Concurrent|Close|TestDo' ./cuda ./cuda/internal/driver
	STHENO_TEST_DEVICE=cuda $(SIM_GPU) $(GPU) $(GO) test -count=1 -short -tags gpu ./graph ./nn
	$(SIM_GPU) $(GPU) $(GO) test -count=1 -short -tags gpu -run TestGPU ./train ./cmd/stheno
	$(GPU) $(GO) test -count=1 -short -tags gpu -run 'GPU|CUDA|Device|Precision|List|Do|Train|Errors|Help|Bench$$' ./cuda/internal/driver ./cmd/stheno
	$(MAKE) gpu-races RACES='^(TestJoinedNorms|TestConvolutionsOfFewChannels|TestMergedUpdatesAreTheSameBits)$$$$'

# Races, and addresses that are not aligned, on the simulated GPU: cuda/internal/sim/README.md. Every test may be looked at so (RACES=.); it takes
# about six times as long as without.
RACES = ^(TestOps|TestJoinedNorms|TestConvolutionsOfFewChannels|TestSharedSums|TestMergedUpdatesAreTheSameBits)$$
gpu-races: sim ; STHENO_SIM_CHECK=1 $(SIM_GPU) $(GPU) $(GO) test -count=1 -short -timeout 2h -tags gpu -run '$(RACES)' ./cuda

# Every kernel, those that are generated for plans too, compiled for sm_80 and sm_90, and some for other GPUs; it needs none.
gpu-compile:
	@mkdir -p .build
	folder=$$(bash scripts/nvrtc.sh) && STHENO_NVRTC_PATH=$$folder $(GPU) $(GO) test -count=1 -short -tags gpu -timeout 30m \
		-run 'TestEverySourceCompiles|TestLargeBlocks|TestNormsStay|TestJoinedNormsStay|TestUpdatesStay|TestPacksStay|TestPoolsStay|TestFewChannelsStay' -v ./cuda/internal/kernel >.build/compile.log 2>&1 || { tail -n 50 .build/compile.log; exit 1; }
	@grep -E '^(--- |ok)' .build/compile.log; ! grep -A 2 -e '--- SKIP' .build/compile.log

# What make gpu and the other scripts run, for machines without Go: take the folder along. PACK='xz -T0' makes it a quarter smaller, and takes
# minutes. SINCE=COMMIT names the tests that are new or were changed since then, which run first.
PACK ?= gzip --no-name
GPU_PROGRAMS = stheno cuda.test cudnn.test train.test memcopy.test plot
gpu-bins:
	rm -rf .build/gpu && mkdir -p .build/gpu
	git describe --always --dirty=+ >.build/gpu/commit 2>/dev/null || rm .build/gpu/commit
	$(if $(SINCE),bash scripts/gpu-changed.sh $(SINCE) >.build/gpu/first)
	$(GPU) $(GO) build -tags gpu -trimpath -ldflags '-s -w' -o .build/gpu/stheno ./cmd/stheno
	$(GPU) $(GO) test -c -tags gpu -trimpath -ldflags '-s -w' -o .build/gpu/cuda.test ./cuda
	$(GPU) $(GO) test -c -tags gpu -trimpath -ldflags '-s -w' -o .build/gpu/cudnn.test ./cuda/internal/cudnn
	$(GPU) $(GO) test -c -tags gpu -trimpath -ldflags '-s -w' -o .build/gpu/train.test ./train
	CGO_ENABLED=0 $(GO) test -c -trimpath -ldflags '-s -w' -o .build/gpu/memcopy.test ./internal/memcopy
	CGO_ENABLED=0 $(GO) -C scripts/plot build -trimpath -ldflags '-s -w' -o ../../.build/gpu/plot .
	cd .build/gpu && $(PACK) --force $(GPU_PROGRAMS)

# On a machine with a GPU: checks everything and writes bench/results/gpu-check.md. SIM=1 tries the check on the simulated GPU.
gpu: gpu-bins $(if $(SIM),sim) ; bash scripts/gpu-check.sh

# On a machine with a GPU: everything that is to be shown there, the most important first, in BUDGET seconds; called again it goes on.
gpu-all: gpu-bins $(if $(SIM),sim) ; bash scripts/gpu-all.sh

# On a machine with a GPU: ours, PyTorch and JAX in turn, and the table of what was measured there until now. scripts/gpu-bench.sh says what
# CASES, LIMIT, WHO and so on mean.
gpu-bench: gpu-bins
	bash scripts/gpu-bench.sh
	$(GO) run ./bench/peers/gpu -out bench/results/gpu.md bench/results/gpu/*.json

# The conformance suite under compute-sanitizer.
gpu-sanitize: gpu-bins ; bash scripts/gpu-sanitize.sh

# On a machine with a GPU: trains a recipe for some minutes. scripts/gpu-train.sh says what RECIPE, OUT, LIMIT, RUN and so on mean.
gpu-train: gpu-bins ; bash scripts/gpu-train.sh

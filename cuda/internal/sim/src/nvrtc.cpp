// The simulated NVRTC: compiles CUDA C++ with g++ into a shared library.
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "image.h"
#include "kernels.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

extern char **environ;

// The text of the shim: abi.h, shim.cuh, shim_math.cuh and shim_check.cuh.
asm(R"(
	.section .rodata
	.hidden sim_shim, sim_shim_end
	.globl sim_shim, sim_shim_end
sim_shim:
	.incbin "abi.h"
	.incbin "shim.cuh"
	.incbin "shim_math.cuh"
	.incbin "shim_check.cuh"
sim_shim_end:
	.previous
)");
extern "C" const char sim_shim[], sim_shim_end[];

enum {
	SUCCESS = 0,
	INVALID_INPUT = 3,
	INVALID_PROGRAM = 4,
	INVALID_OPTION = 5,
	COMPILATION = 6,
	BUILTIN_OPERATION_FAILURE = 7,
	NO_LOWERED_NAMES_BEFORE_COMPILATION = 9,
	NAME_EXPRESSION_NOT_VALID = 10,
};
static const char *const names[] = {
    "NVRTC_SUCCESS", "NVRTC_ERROR_OUT_OF_MEMORY", "NVRTC_ERROR_PROGRAM_CREATION_FAILURE", "NVRTC_ERROR_INVALID_INPUT",
    "NVRTC_ERROR_INVALID_PROGRAM", "NVRTC_ERROR_INVALID_OPTION", "NVRTC_ERROR_COMPILATION", "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE",
    "NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION", "NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION",
    "NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID", "NVRTC_ERROR_INTERNAL_ERROR", "NVRTC_ERROR_TIME_FILE_WRITE_FAILED"};
static const int architectures[] = {50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90, 100, 101, 103, 120, 121};

struct Program {
	std::string name, text, log, image;
	std::map<std::string, std::string> headers;
	std::set<std::string> expressions;
	bool cubin = false; // compiled for sm_…, not compute_…
};

static std::mutex mutex;
static std::map<void *, std::shared_ptr<Program>> programs;
static std::shared_ptr<Program> program_of(void *p) {
	std::lock_guard<std::mutex> lock(mutex);
	const auto i = programs.find(p);
	return i == programs.end() ? nullptr : i->second;
}

static bool read_file(const std::string &path, std::string &to) {
	FILE *f = fopen(path.c_str(), "rb");
	if (!f) return false;
	to.clear();
	char buffer[1 << 16];
	for (size_t n; (n = fread(buffer, 1, sizeof buffer, f)) > 0;) to.append(buffer, n);
	fclose(f);
	return true;
}

static bool write_file(const std::string &path, const std::string &text) {
	FILE *f = fopen(path.c_str(), "wb");
	if (!f) return false;
	const bool all = fwrite(text.data(), 1, text.size(), f) == text.size();
	return fclose(f) == 0 && all;
}

// A folder that goes with everything in it.
struct Scratch {
	std::string path;
	Scratch() {
		const char *t = getenv("TMPDIR");
		path = std::string(t && *t ? t : "/tmp") + "/stheno-sim-XXXXXX";
		if (!mkdtemp(path.data())) path.clear();
	}
	~Scratch() {
		if (path.empty()) return;
		if (DIR *d = opendir(path.c_str())) {
			while (const dirent *e = readdir(d)) unlink((path + "/" + e->d_name).c_str());
			closedir(d);
		}
		rmdir(path.c_str());
	}
};

static bool checks() {
	const char *v = getenv("STHENO_SIM_CHECK");
	return v && *v && strcmp(v, "0");
}

static const char *compiler() {
	const char *c = getenv("STHENO_SIM_CXX");
	return c && *c ? c : "g++";
}

// Runs a command whose messages go to log. 127: it could not be started.
static int run(const std::vector<std::string> &command, const std::string &log) {
	std::vector<char *> arguments;
	for (const std::string &a : command) arguments.push_back((char *)a.c_str());
	arguments.push_back(nullptr);
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	pid_t child;
	const int e = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
	posix_spawn_file_actions_destroy(&actions);
	if (e) return 127;
	int status = 0;
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR) return 127;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

static std::string cache_folder() {
	const char *c = getenv("STHENO_SIM_CACHE"), *t = getenv("TMPDIR");
	const std::string folder = c && *c ? c : std::string(t && *t ? t : "/tmp") + "/stheno-sim";
	mkdir(folder.c_str(), 0700);
	return folder;
}

static bool starts(const std::string &s, const char *with) { return s.rfind(with, 0) == 0; }

// What NVRTC's options mean for g++: architecture is the number in compute_90, and arguments are those of the preprocessor.
static bool read_options(int count, const char *const *options, Program &p, int &architecture, std::vector<std::string> &arguments) {
	for (int i = 0; i < count; i++) {
		const std::string o = options[i];
		const size_t equals = o.find('=');
		const std::string key = o.substr(0, equals), value = equals == std::string::npos ? "" : o.substr(equals + 1);
		if (key == "-arch" || key == "--gpu-architecture") {
			p.cubin = starts(value, "sm_");
			architecture = atoi(value.c_str() + value.find('_') + 1);
			bool known = p.cubin || starts(value, "compute_");
			bool listed = false;
			for (const int a : architectures) listed = listed || a == architecture;
			known = known && listed;
			if (!known) {
				p.log = "nvrtc: error: invalid value for --gpu-architecture (" + value + ")\n";
				return false;
			}
		} else if ((starts(o, "-D") || starts(o, "-U") || starts(o, "-I")) && o.size() > 2) {
			arguments.push_back(o);
		} else if (key == "--define-macro") {
			arguments.push_back("-D" + value);
		} else if ((o == "-D" || o == "-U" || o == "-I") && i + 1 < count) {
			arguments.push_back(o + options[++i]);
		} else if (key == "-std" || key == "--std" || key == "-fmad" || key == "--fmad" || key == "-default-device" ||
		           key == "--device-as-default-execution-space" || key == "-lineinfo" || key == "--generate-line-info" || key == "-w" ||
		           key == "--disable-warnings" || key == "-ftz" || key == "--ftz" || key == "-prec-div" || key == "--prec-div" ||
		           key == "-prec-sqrt" || key == "--prec-sqrt" || key == "--restrict" || key == "-restrict" || key == "-O3" || key == "--extra-device-vectorization" ||
		           key == "-maxrregcount" || key == "--maxrregcount" || key == "-diag-suppress" || key == "--diag-suppress") {
		} else {
			p.log = "nvrtc: error: unrecognized option " + o + " found\n";
			return false;
		}
	}
	return true;
}

// The compiler's messages, if it could be started, without those about what was written behind the program.
static std::string messages(int status, const std::string &file) {
	std::string all, log;
	read_file(file, all);
	for (size_t at = 0, end; at < all.size(); at = end) {
		end = std::min(all.find('\n', at), all.size() - 1) + 1;
		const std::string line = all.substr(at, end - at);
		if (!starts(line, table_name)) log += line;
	}
	if (status == 127) log += std::string("the simulated NVRTC cannot start ") + compiler() + "; install g++ or set STHENO_SIM_CXX\n";
	return log;
}

static int compile(Program &p, int architecture, const std::vector<std::string> &arguments) {
	const std::string shim(sim_shim, (size_t)(sim_shim_end - sim_shim));
	// Only a text that asks for its architecture is compiled for each.
	const bool asks = p.text.find("__CUDA_ARCH__") != std::string::npos || !p.headers.empty();
	std::string text = "#define SIM_CUDA_ARCH " + std::to_string(asks ? architecture * 10 : 0) + "\n" + shim;
	text += "#line 1 \"" + p.name + "\"\n" + p.text + "\n";

	std::string key_text = text + compiler() + flags_version + (checks() ? "check" : "");
	for (const std::string &a : arguments) key_text += '\0' + a;
	for (const auto &[name, header] : p.headers) key_text += '\0' + name + '\0' + header;
	char key[40];
	snprintf(key, sizeof key, "%016llx%016llx", (unsigned long long)fnv(key_text.data(), key_text.size()),
	         (unsigned long long)fnv(key_text.data(), key_text.size(), 1469598103934665603u));
	const std::string cached = cache_folder() + "/" + key;
	if (read_file(cached, p.image) && sealed(p.image)) {
		p.image = seal(without_seal(p.image), (uint64_t)architecture);
		return SUCCESS;
	}
	p.image.clear();

	const Scratch scratch;
	const std::string &d = scratch.path, log = d + "/log";
	if (d.empty() || !write_file(d + "/in.cu", text)) return BUILTIN_OPERATION_FAILURE;
	for (const auto &[name, header] : p.headers) {
		if (name.find('/') != std::string::npos || !write_file(d + "/" + name, header)) return INVALID_INPUT;
	}
	std::vector<std::string> preprocess = {compiler(), "-E", "-x", "c++", "-std=c++17", "-nostdinc", "-nostdinc++", "-I" + d};
	if (checks()) preprocess.push_back("-DSIM_CHECK");
	preprocess.insert(preprocess.end(), arguments.begin(), arguments.end());
	preprocess.insert(preprocess.end(), {d + "/in.cu", "-o", d + "/out.ii"});
	int status = run(preprocess, log);
	if (status) {
		p.log = messages(status, log);
		return COMPILATION;
	}
	std::string plain;
	if (!read_file(d + "/out.ii", plain)) return BUILTIN_OPERATION_FAILURE;
	plain += kernel_table(find_kernels(plain));
	if (!write_file(d + "/out.ii", plain)) return BUILTIN_OPERATION_FAILURE;
	std::vector<std::string> build = {compiler()};
	build.insert(build.end(), std::begin(compiler_flags), std::end(compiler_flags));
	if (checks()) build.insert(build.end(), std::begin(check_flags), std::end(check_flags));
	build.insert(build.end(), {d + "/out.ii", "-o", d + "/out.so"});
	build.insert(build.end(), std::begin(libraries), std::end(libraries));
	status = run(build, log);
	p.log = messages(status, log);
	if (status) return COMPILATION;
	std::string library;
	if (!read_file(d + "/out.so", library)) return BUILTIN_OPERATION_FAILURE;
	p.image = seal(library, (uint64_t)architecture);

	const std::string fresh = cached + "." + std::to_string(getpid()) + d.substr(d.rfind('-'));
	if (!write_file(fresh, p.image) || rename(fresh.c_str(), cached.c_str())) unlink(fresh.c_str());
	return SUCCESS;
}

EXPORT int nvrtcVersion(int *major, int *minor) {
	if (!major || !minor) return INVALID_INPUT;
	*major = 12, *minor = checks() ? 98 : 99; // no real ones: their images must not meet those of a GPU in a cache, nor each other
	return SUCCESS;
}

EXPORT int nvrtcGetNumSupportedArchs(int *count) {
	if (!count) return INVALID_INPUT;
	*count = (int)(sizeof architectures / sizeof *architectures);
	return SUCCESS;
}
EXPORT int nvrtcGetSupportedArchs(int *list) {
	if (!list) return INVALID_INPUT;
	memcpy(list, architectures, sizeof architectures);
	return SUCCESS;
}

EXPORT const char *nvrtcGetErrorString(int code) {
	return code >= 0 && code < (int)(sizeof names / sizeof *names) ? names[code] : "NVRTC_ERROR unknown";
}

EXPORT int nvrtcCreateProgram(void **program, const char *text, const char *name, int count, const char *const *headers, const char *const *includes) {
	if (!program || !text || count < 0 || (count && (!headers || !includes))) return INVALID_INPUT;
	const auto p = std::make_shared<Program>();
	p->name = name && *name ? name : "default_program";
	p->text = text;
	for (int i = 0; i < count; i++) p->headers[includes[i]] = headers[i];
	std::lock_guard<std::mutex> lock(mutex);
	static uintptr_t next = 0x52000000;
	*program = (void *)(next += 16);
	programs[*program] = p;
	return SUCCESS;
}

EXPORT int nvrtcDestroyProgram(void **program) {
	if (!program) return INVALID_PROGRAM;
	std::lock_guard<std::mutex> lock(mutex);
	if (!programs.erase(*program)) return INVALID_PROGRAM;
	*program = nullptr;
	return SUCCESS;
}

EXPORT int nvrtcCompileProgram(void *program, int count, const char *const *options) {
	const auto p = program_of(program);
	if (!p) return INVALID_PROGRAM;
	if (count < 0 || (count && !options)) return INVALID_INPUT;
	int architecture = 52;
	std::vector<std::string> arguments;
	p->image.clear(), p->log.clear(), p->cubin = false;
	if (!read_options(count, options, *p, architecture, arguments)) return INVALID_OPTION;
	return compile(*p, architecture, arguments);
}

// Hands out bytes: their number, then themselves.
static int size_of(const std::string *s, size_t *size) {
	if (!s) return INVALID_PROGRAM;
	if (!size) return INVALID_INPUT;
	*size = s->size();
	return SUCCESS;
}
static int bytes_of(const std::string *s, char *to) {
	if (!s) return INVALID_PROGRAM;
	if (!to) return INVALID_INPUT;
	memcpy(to, s->data(), s->size());
	return SUCCESS;
}

static std::unique_ptr<std::string> ptx(void *program) {
	const auto p = program_of(program);
	return p && !p->image.empty() ? std::make_unique<std::string>(to_text(p->image) + '\0') : nullptr;
}
static std::unique_ptr<std::string> cubin(void *program) {
	const auto p = program_of(program);
	return p && !p->image.empty() ? std::make_unique<std::string>(p->cubin ? p->image : "") : nullptr;
}
static std::unique_ptr<std::string> log(void *program) {
	const auto p = program_of(program);
	return p ? std::make_unique<std::string>(p->log + '\0') : nullptr;
}
EXPORT int nvrtcGetPTXSize(void *program, size_t *size) { return size_of(ptx(program).get(), size); }
EXPORT int nvrtcGetPTX(void *program, char *to) { return bytes_of(ptx(program).get(), to); }
EXPORT int nvrtcGetCUBINSize(void *program, size_t *size) { return size_of(cubin(program).get(), size); }
EXPORT int nvrtcGetCUBIN(void *program, char *to) { return bytes_of(cubin(program).get(), to); }
EXPORT int nvrtcGetProgramLogSize(void *program, size_t *size) { return size_of(log(program).get(), size); }
EXPORT int nvrtcGetProgramLog(void *program, char *to) { return bytes_of(log(program).get(), to); }

// Kernels are extern "C" here, so an expression is the name itself.
EXPORT int nvrtcAddNameExpression(void *program, const char *expression) {
	const auto p = program_of(program);
	if (!p) return INVALID_PROGRAM;
	if (!expression) return INVALID_INPUT;
	p->expressions.insert(expression);
	return SUCCESS;
}
EXPORT int nvrtcGetLoweredName(void *program, const char *expression, const char **name) {
	const auto p = program_of(program);
	if (!p) return INVALID_PROGRAM;
	if (!expression || !name) return INVALID_INPUT;
	if (p->image.empty()) return NO_LOWERED_NAMES_BEFORE_COMPILATION;
	const auto i = p->expressions.find(expression);
	if (i == p->expressions.end()) return NAME_EXPRESSION_NOT_VALID;
	*name = i->c_str();
	return SUCCESS;
}

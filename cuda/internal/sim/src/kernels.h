// Finds the kernels of a preprocessed program and writes the table that the driver reads.
#pragma once
#include <cctype>
#include <string>
#include <vector>

// -Bsymbolic: a kernel may have the name of a function of the C library, such as random.
const char *const compiler_flags[] = {
    "-O1",       "-std=c++17",         "-fPIC",           "-shared",        "-w",
    "-pipe",     "-fno-exceptions",    "-fno-rtti",       "-fno-gnu-unique", "-fno-asynchronous-unwind-tables",
    "-fwrapv",   "-ffp-contract=off",  "-fno-math-errno", "-fno-trapping-math",
    "-fno-strict-aliasing", "-Wl,-Bsymbolic", "-nodefaultlibs", "-fpreprocessed", "-x", "c++-cpp-output"};
// What kernels need of libraries, behind the program. Looking for g++'s own among all that it links takes half of the linker's time.
const char *const libraries[] = {"-lm", "-lc", "-lgcc"};
// With STHENO_SIM_CHECK: every access calls what shim_check.cuh defines, and so does what C++ leaves undefined.
const char *const check_flags[] = {
    "-fsanitize=thread", "--param", "tsan-instrument-func-entry-exit=0", "-fno-wrapv",
    "-fsanitize=alignment,shift,bounds,bool,signed-integer-overflow,float-cast-overflow", "-g1"};
const char *const flags_version = "5"; // counted up when the flags or the table change

struct FoundKernel {
	std::string name, bounds; // bounds: what stands in __launch_bounds__, in parentheses
};

// The kernels are what stands behind the attribute that __global__ becomes: the identifier in front of the first parenthesis
// that belongs to no attribute. Declarations without a body are taken once with their definitions.
inline std::vector<FoundKernel> find_kernels(const std::string &text) {
	const std::string mark = "__sim_kernel__", bounds_mark = "__sim_bounds__";
	std::vector<FoundKernel> found;
	const auto word = [](char c) { return isalnum((unsigned char)c) || c == '_'; };
	for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
		size_t p = text.find("))", at); // the end of the attribute
		if (p == std::string::npos) break;
		p += 2;
		FoundKernel k;
		std::string last;
		while (p < text.size()) {
			const char c = text[p];
			if (word(c)) {
				size_t end = p;
				while (end < text.size() && word(text[end])) end++;
				last = text.substr(p, end - p);
				p = end;
				continue;
			}
			if (c != '(') {
				p++;
				continue;
			}
			if (last != "__attribute__") break;
			int depth = 0;
			const size_t begin = p;
			do {
				depth += (text[p] == '(') - (text[p] == ')');
				p++;
			} while (depth > 0 && p < text.size());
			const std::string attribute = text.substr(begin, p - begin);
			const size_t b = attribute.find(bounds_mark);
			if (b != std::string::npos) k.bounds = attribute.substr(b + bounds_mark.size(), attribute.size() - 2 - b - bounds_mark.size());
		}
		k.name = last;
		bool known = false;
		for (FoundKernel &f : found) {
			if (f.name != k.name) continue;
			known = true;
			if (f.bounds.empty()) f.bounds = k.bounds;
		}
		if (!known) found.push_back(k);
	}
	return found;
}

const char *const table_name = "table of kernels";

inline std::string kernel_table(const std::vector<FoundKernel> &kernels) {
	std::string s = "\n# 1 \"" + std::string(table_name) + "\"\nstatic const sim_kernel sim_kernels[] = {\n";
	for (const FoundKernel &k : kernels) {
		const std::string e = "sim_entry<&" + k.name + ">::";
		s += "{\"" + k.name + "\", " + e + "call, " + e + "count, " + e + "sizes, " + e + "alignments, " + e + "pointers, sim_bounds" +
		     (k.bounds.empty() ? "()" : k.bounds) + "},\n";
	}
	s += "{nullptr, nullptr, 0, nullptr, nullptr, nullptr, 0}};\n";
	s += "extern \"C\" __attribute__((__visibility__(\"default\"))) const sim_module_table sim_module = {SIM_TABLE_VERSION, &sim_run, "
	     "&threadIdx, &blockIdx, &blockDim, &gridDim, &sim_dynamic_shared, __start_sim_shared, __stop_sim_shared, " +
	     std::to_string(kernels.size()) + ", sim_kernels};\n";
	return s;
}

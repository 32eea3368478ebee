// SPDX-License-Identifier: GPL-3.0-or-later
// Hostile torch files: zips and pickles that promise what is not there, or ask for what nobody may have.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/io/torch_archive.h"
#include "tests/support/peak_memory.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/zip_bytes.h"

namespace natscope {
namespace {

using test::TemporaryFolder;
using test::ZipEntry;

using namespace std::string_literals;

std::string bytes_of(std::uint64_t value, int size) {
  std::string text;
  for (int i = 0; i < size; ++i) text += static_cast<char>(value >> (8 * i) & 255U);
  return text;
}
std::string number(std::uint32_t value) { return "J" + bytes_of(value, 4); }
std::string text(const std::string& value) { return "X" + bytes_of(value.size(), 4) + value; }
std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }
std::string tuple(const std::string& items) { return "(" + items + "t"; }
std::string repeated(const std::string& piece, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += piece;
  return all;
}

std::string storage(const std::string& key, std::uint32_t elements, const std::string& name = "FloatStorage") {
  return tuple(text("storage") + global("torch", name) + text(key) + text("cpu") + number(elements)) + "Q";
}

const std::string hooks = global("collections", "OrderedDict") + ")R";

/// The parts of a tensor's making, each to be replaced.
struct Tensor {
  std::string storage_part = storage("0", 6);
  std::string offset = number(0);
  std::string shape = tuple(number(2) + number(3));
  std::string strides = tuple(number(3) + number(1));
  std::string flag = "\x89";
  std::string hooks_part = hooks;
  std::string callee = global("torch._utils", "_rebuild_tensor_v2");

  [[nodiscard]] std::string made() const {
    return callee + tuple(storage_part + offset + shape + strides + flag + hooks_part) + "R";
  }
};

std::string pickle_of(const std::string& items) { return "\x80\x02}(" + items + "u."; }
std::string one_tensor(const Tensor& tensor = {}) { return pickle_of(text("a") + tensor.made()); }

std::vector<ZipEntry> entries(const std::string& pickle, const std::string& data = std::string(24, 'd')) {
  return {{"x/data.pkl", pickle}, {"x/byteorder", "little"}, {"x/data/0", data}, {"x/version", "3\n"}};
}

struct BadFile {
  const char* what;
  std::string bytes;
};

void check_refused(const std::vector<BadFile>& files) {
  const TemporaryFolder folder;
  for (const BadFile& file : files) {
    CAPTURE(std::string(file.what));
    test::write_bytes(folder / "a.pth", file.bytes);
    const auto read = read_torch_archive(folder / "a.pth");
    REQUIRE_FALSE(read);
    CAPTURE(read.error().message);
    CHECK(read.error().code == ErrorCode::bad_adapter);
    CHECK(exit_code(read.error().code) == 3);
    CHECK(read.error().message.find("a.pth") != std::string::npos);
    CHECK(read.error().message.size() < 500);
  }
}

BadFile bad_pickle(const char* what, const std::string& pickle) { return {what, test::zip_bytes(entries(pickle))}; }
BadFile bad_tensor(const char* what, const Tensor& tensor) { return bad_pickle(what, one_tensor(tensor)); }

TEST_CASE("the file that all others are made from is good") {
  const TemporaryFolder folder;
  test::write_bytes(folder / "a.pth", test::zip_bytes(entries(one_tensor())));
  const auto read = read_torch_archive(folder / "a.pth");
  if (!read) FAIL(format_error_line(read.error()));
  REQUIRE(read->size() == 1);
  CHECK(read->front().name == "a");
  CHECK(read->front().shape == std::vector<std::int64_t>{2, 3});
  CHECK(read->front().data.size() == 24);
}

TEST_CASE("a pickle that wants to run something") {
  check_refused({
      bad_pickle("os.system", "\x80\x02" + global("os", "system") + text("true") + "\x85R."),
      bad_pickle("posix.system", "\x80\x02" + global("posix", "system") + text("true") + "\x85R."),
      bad_pickle("builtins.eval beside a tensor",
                 pickle_of(text("a") + Tensor{}.made() + text("b") + global("builtins", "eval") + text("1") + "\x85R")),
      bad_pickle("torch.load", "\x80\x02" + global("torch", "load") + text("x") + "\x85R."),
      bad_pickle("a module with dots", "\x80\x02" + global("torch._utils.os", "system") + ")R."),
      bad_pickle("INST", "\x80\x02(" + text("true") + "ios\nsystem\n."),
      bad_pickle("OBJ", "\x80\x02(" + global("collections", "OrderedDict") + "o."),
      bad_pickle("NEWOBJ", "\x80\x02" + global("collections", "OrderedDict") + ")\x81."),
      bad_pickle("BUILD", "\x80\x02" + hooks + "}b."),
      bad_pickle("STACK_GLOBAL", "\x80\x02" + text("os") + text("system") + "\x93)R."),
      bad_pickle("EXT1", "\x80\x02\x82\x01."),
      bad_pickle("PERSID", "\x80\x02P0\n."),
      bad_pickle("the result of a call called", "\x80\x02" + hooks + ")R."),
      bad_pickle("a tensor called", "\x80\x02" + Tensor{}.made() + ")R."),
      bad_pickle("a storage class called", "\x80\x02" + global("torch", "FloatStorage") + ")R."),
      bad_pickle("OrderedDict of something", "\x80\x02" + global("collections", "OrderedDict") + text("a") + "\x85R."),
  });
}

TEST_CASE("a pickle that wants much") {
  check_refused({
      bad_pickle("a text of 4 GB", "\x80\x02X\xff\xff\xff\xff"s + "abc"),
      bad_pickle("a number of 255 bytes", "\x80\x02\x8a\xff" + std::string(255, '\1') + "."),
      bad_pickle("a stack without end", "\x80\x02" + repeated("}", 100'000) + "."),
      bad_pickle("marks without end", "\x80\x02" + repeated("(", 100'000) + "."),
      bad_pickle("tuples in tuples", "\x80\x02)" + repeated("\x85", 100'000) + "."),
      bad_pickle("a tuple doubled with every step", "\x80\x02)" + repeated("q\1h\1h\1\x86", 64) + "."),
      bad_pickle(
          "a memo of millions", "\x80\x02)" +
                                    [] {
                                      std::string all;
                                      for (std::uint32_t i = 0; i < 600'000; ++i) all += "r" + bytes_of(i, 4);
                                      return all;
                                    }() +
                                    "."),
      bad_pickle("5 MiB", "\x80\x02" + std::string(5U << 20U, ')')),
  });
}

TEST_CASE("a long name that is recalled again and again is not copied each time") {
  // Fewer at once than the stack holds.
  const std::string pairs = "(" + repeated("h\1h\2", 4000) + "u";
  const TemporaryFolder folder;
  test::write_bytes(folder / "a.pth", test::zip_bytes(entries("\x80\x02}(" + text(std::string(1000, 'n')) + "q\1" +
                                                              Tensor{}.made() + "q\2u" + repeated(pairs, 120) + ".")));
  const std::int64_t held =
      test::peak_memory_of([&] { CHECK(read_torch_archive(folder / "a.pth").error().code == ErrorCode::bad_adapter); });
  CHECK(held < (200 << 20));
}

TEST_CASE("a pickle that does not hold together") {
  check_refused({
      bad_pickle("empty", ""),
      bad_pickle("no end", one_tensor().substr(0, one_tensor().size() - 1)),
      bad_pickle("cut in a number", one_tensor().substr(0, 100)),
      bad_pickle("something behind its end", one_tensor() + "."),
      bad_pickle("protocol 4", "\x80\x04}."),
      bad_pickle("no protocol", "}."),
      bad_pickle("recalls what it never remembered", "\x80\x02h\7."),
      bad_pickle("remembers nothing", "\x80\x02q\1."),
      bad_pickle("a tuple without a mark", "\x80\x02t."),
      bad_pickle("an empty stack", "\x80\x02."),
      bad_pickle("two results", "\x80\x02}}."),
      bad_pickle("no dict", "\x80\x02" + Tensor{}.made() + "."),
      bad_pickle("a name that is not UTF-8", pickle_of(text("\xb8") + Tensor{}.made())),
      bad_pickle("a key without a value", pickle_of(text("a"))),
      bad_pickle("a key that is a number", pickle_of(number(1) + Tensor{}.made())),
      bad_pickle("a value that is a text", pickle_of(text("a") + text("b"))),
      bad_pickle("a value that is a dict", pickle_of(text("a") + "}")),
      bad_pickle("a dict in itself", "\x80\x02}q\1" + text("a") + "h\1s."),
      bad_pickle("items for a text", "\x80\x02" + text("a") + "(" + text("b") + Tensor{}.made() + "u."),
      bad_pickle("a name twice", pickle_of(text("a") + Tensor{}.made() + text("a") + Tensor{}.made())),
      bad_pickle("two tensors in one storage", pickle_of(text("a") + Tensor{}.made() + text("b") + Tensor{}.made())),
  });
}

TEST_CASE("tensors that do not fit their storage") {
  std::vector<BadFile> files;
  const auto with = [&](const char* what, auto change) {
    Tensor changed;
    change(changed);
    files.push_back(bad_tensor(what, changed));
  };
  with("an offset", [](Tensor& x) { x.offset = number(1); });
  with("a negative offset", [](Tensor& x) { x.offset = number(0xffffffffU); });
  with("transposed", [](Tensor& x) { x.strides = tuple(number(1) + number(2)); });
  with("strides 0", [](Tensor& x) { x.strides = tuple(number(0) + number(0)); });
  with("too few strides", [](Tensor& x) { x.strides = tuple(number(3)); });
  with("a shape larger than the storage", [](Tensor& x) { x.shape = tuple(number(2) + number(4)); });
  with("a shape that overflows", [](Tensor& x) { x.shape = tuple(repeated(number(0x7fffffffU), 5)); });
  with("a shape of texts", [](Tensor& x) { x.shape = tuple(text("2") + text("3")); });
  with("hooks", [](Tensor& x) { x.hooks_part = "}" + text("h") + Tensor{}.made() + "s"; });
  with("no hooks", [](Tensor& x) { x.hooks_part = "\x89"; });
  with("a number for the flag", [](Tensor& x) { x.flag = number(0); });
  with("no storage", [](Tensor& x) { x.storage_part = text("0"); });
  with("another callee", [](Tensor& x) { x.callee = global("torch._utils", "_rebuild_sparse_tensor"); });
  with("a storage of complex numbers", [](Tensor& x) { x.storage_part = storage("0", 6, "ComplexFloatStorage"); });
  with("a storage that is not there", [](Tensor& x) { x.storage_part = storage("7", 6); });
  with("a storage outside the folder", [](Tensor& x) { x.storage_part = storage("../0", 6); });
  with("a storage of another type's size", [](Tensor& x) { x.storage_part = storage("0", 6, "HalfStorage"); });
  with("a storage told larger than it is", [](Tensor& x) {
    x.storage_part = storage("0", 0x7fffffffU);
    x.shape = tuple(number(0x7fffffffU));
    x.strides = tuple(number(1));
  });
  check_refused(files);
}

TEST_CASE("zip files that are not what torch.save writes") {
  const std::vector<ZipEntry> good = entries(one_tensor());
  std::vector<BadFile> files;
  const auto with = [&](const char* what, auto change) {
    std::vector<ZipEntry> changed = good;
    change(changed);
    files.push_back({what, test::zip_bytes(changed)});
  };
  constexpr std::size_t pickle = 0, order = 1, data = 2;
  with("deflated", [](auto& e) { e[data].method = 8; });
  with("deflated, told to be large", [](auto& e) { e[data].method = 8, e[data].size = 0xfffffff0U; });
  with("an unknown method", [](auto& e) { e[data].method = 99; });
  with("encrypted", [](auto& e) { e[data].flags = 1; });
  with("told larger than it is", [](auto& e) { e[data].size = e[data].stored_size = 4000; });
  with("told to be 4 GB", [](auto& e) { e[data].size = e[data].stored_size = 0xfffffff0U; });
  with("zip64 sizes without their field", [](auto& e) { e[data].size = e[data].stored_size = 0xffffffffU; });
  with("a zip64 field of nonsense", [](auto& e) {
    e[data].size = e[data].stored_size = 0xffffffffU;
    e[data].extra = "\1\0\x10\0"s + std::string(16, '\xff');
  });
  with("sizes that differ", [](auto& e) { e[data].size = 23; });
  with("a wrong checksum", [](auto& e) { e[data].checksum = 1; });
  with("a wrong checksum of the pickle", [](auto& e) { e[pickle].checksum = 1; });
  with("an offset outside", [](auto& e) { e[data].offset = 0x7fffffffU; });
  with("two entries in one place", [](auto& e) { e[data].offset = 0; });
  with("a name twice", [](auto& e) { e.push_back(e[data]); });
  with("a storage too many", [](auto& e) { e.push_back({"x/data/1", "abcd"}); });
  with("a program beside it", [](auto& e) { e.push_back({"x/code/__torch__.py", "import os"}); });
  with("a second folder", [](auto& e) { e[data].name = "y/data/0"; });
  with("no folder", [](auto& e) { e[data].name = "data"; });
  with("a name that climbs", [](auto& e) { e[data].name = "x/../data/0"; });
  with("a storage's name that climbs", [](auto& e) { e[data].name = "x/data/../0"; });
  with("an absolute name", [](auto& e) { e[data].name = "/data/0"; });
  with("no pickle", [](auto& e) { e.erase(e.begin()); });
  with("no storage", [](auto& e) { e.erase(e.begin() + data); });
  with("big-endian", [](auto& e) { e[order].bytes = "big"; });
  with("a byte order of 1 MB", [](auto& e) { e[order].bytes = std::string(1 << 20, 'l'); });
  with("nothing", [](auto& e) { e.clear(); });
  const std::string whole = test::zip_bytes(good);
  files.push_back({"an empty file", ""});
  files.push_back({"text", "this is no torch file"});
  files.push_back({"cut in the middle", whole.substr(0, whole.size() / 2)});
  files.push_back({"without its last byte", whole.substr(0, whole.size() - 1)});
  files.push_back({"an old file of torch.save, no zip", "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."});
  check_refused(files);
}

}  // namespace
}  // namespace natscope

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/safetensors.h"

#include <doctest/doctest.h>

#include <numeric>

#include "core/io/safetensors_writer.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace natscope {
namespace {

using test::read_bytes;
using test::TemporaryFolder;
using test::TinyTensor;
using test::write_bytes;

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

TEST_CASE("a hand-made file is read as it is, unaligned data too") {
  const TemporaryFolder folder;
  const std::vector<TinyTensor> tensors = {
      {"b", DType::u8, {3}, "\x01\x02\x03"},
      {"a", DType::f32, {2}, std::string("\0\0\x80\x3f\0\0\0\x40", 8)},
      {"scalar", DType::i64, {}, std::string("\x05\0\0\0\0\0\0\0", 8)},
      {"nothing", DType::f32, {0, 7}, ""},
  };
  write_bytes(folder / "x.safetensors", test::safetensors_bytes(tensors, {{"format", "pt"}, {"é", "\n"}}));
  const auto file = SafetensorsFile::open(folder / "x.safetensors");
  REQUIRE(file);
  REQUIRE(file->tensors().size() == 4);
  CHECK(file->tensors()[0].name == "a");
  CHECK(file->metadata().at("format") == "pt");
  CHECK(file->metadata().at("é") == "\n");
  CHECK(tensor_values<float>(*file->find("a")).value() == std::vector<float>{1.0F, 2.0F});
  CHECK(tensor_values<std::uint8_t>(*file->find("b")).value() == std::vector<std::uint8_t>{1, 2, 3});
  CHECK(tensor_values<std::int64_t>(*file->find("scalar")).value() == std::vector<std::int64_t>{5});
  CHECK(file->find("scalar")->shape.empty());
  CHECK(file->find("scalar")->elements() == 1);
  CHECK(tensor_values<float>(*file->find("nothing")).value().empty());
  CHECK(tensor_values<float>(*file->find("b")).error().code == ErrorCode::bad_arrays);
  CHECK(file->find("c") == nullptr);
  CHECK(file->find("") == nullptr);
}

TEST_CASE("an empty file of tensors is one") {
  const TemporaryFolder folder;
  write_bytes(folder / "x", test::safetensors_bytes("{}", ""));
  const auto file = SafetensorsFile::open(folder / "x");
  REQUIRE(file);
  CHECK(file->tensors().empty());
}

TEST_CASE("what is written reads back, aligned, in a fixed order, whatever order it came in") {
  const TemporaryFolder folder;
  const std::vector<float> floats = {1.5F, -2.0F, 3.25F};
  const std::vector<std::uint8_t> bytes = {9, 8, 7, 6, 5};
  const std::vector<std::int64_t> longs = {INT64_MIN, 0, INT64_MAX, 4};
  std::vector<TensorToWrite> tensors(4);
  tensors[0] = {"z.bytes", DType::u8, {5}, bytes_of(bytes), {}};
  tensors[1] = {"floats", DType::f32, {3, 1}, bytes_of(floats), {}};
  tensors[2] = {"longs", DType::i64, {2, 2}, bytes_of(longs), {}};
  tensors[3] = {"empty", DType::f64, {0}, {}, {}};
  REQUIRE(write_safetensors(folder / "one", tensors, {{"format", "test"}, {"a", ""}}));
  std::swap(tensors[0], tensors[2]);
  std::swap(tensors[1], tensors[3]);
  REQUIRE(write_safetensors(folder / "two", tensors, {{"a", ""}, {"format", "test"}}));
  CHECK(read_bytes(folder / "one") == read_bytes(folder / "two"));

  const auto file = SafetensorsFile::open(folder / "one");
  REQUIRE(file);
  CHECK(tensor_values<float>(*file->find("floats")).value() == floats);
  CHECK(tensor_values<std::int64_t>(*file->find("longs")).value() == longs);
  CHECK(tensor_values<std::uint8_t>(*file->find("z.bytes")).value() == bytes);
  CHECK(file->find("floats")->shape == std::vector<std::int64_t>{3, 1});
  CHECK(file->metadata().size() == 2);
  for (const TensorInfo& tensor : file->tensors()) {
    CHECK(reinterpret_cast<std::uintptr_t>(tensor.data.data()) % item_bytes(tensor.dtype) == 0);
  }
}

TEST_CASE("data may come in pieces, and must be as much as it said") {
  const TemporaryFolder folder;
  std::vector<float> values(100'000);
  std::iota(values.begin(), values.end(), 0.0F);
  const auto producing = [&](std::size_t elements) {
    return [&, elements](const TensorSink& sink) -> Expected<void> {
      for (std::size_t at = 0; at < elements; at += 777) {
        const auto piece = std::span(values).subspan(at, std::min<std::size_t>(777, elements - at));
        NATSCOPE_CHECK(sink(std::as_bytes(piece)));
      }
      return {};
    };
  };
  std::vector<TensorToWrite> tensors(1);
  tensors[0] = {"x", DType::f32, {100'000}, {}, producing(100'000)};
  REQUIRE(write_safetensors(folder / "x", tensors, {}));
  CHECK(tensor_values<float>(*SafetensorsFile::open(folder / "x")->find("x")).value() == values);
  const std::string before = read_bytes(folder / "x");

  for (const std::size_t elements : {0, 99'999}) {
    tensors[0].produce = producing(elements);
    CHECK(write_safetensors(folder / "x", tensors, {}).error().code == ErrorCode::bad_arrays);
  }
  tensors[0].shape = {99'999};
  tensors[0].produce = producing(100'000);
  CHECK(write_safetensors(folder / "x", tensors, {}).error().code == ErrorCode::bad_arrays);
  tensors[0].produce = [](const TensorSink&) -> Expected<void> { return fail(ErrorCode::interrupted, "stop"); };
  CHECK(write_safetensors(folder / "x", tensors, {}).error().code == ErrorCode::interrupted);
  CHECK(read_bytes(folder / "x") == before);
  CHECK(folder.names() == std::vector<std::string>{"x"});
}

TEST_CASE("what cannot be a safetensors file is not written") {
  const TemporaryFolder folder;
  const std::vector<std::uint8_t> one = {1};
  const auto refused = [&](const std::vector<TensorToWrite>& tensors,
                           const std::map<std::string, std::string, std::less<>>& metadata = {}) {
    const auto written = write_safetensors(folder / "x", tensors, metadata);
    return !written && written.error().code == ErrorCode::bad_arrays && folder.names().empty();
  };
  CHECK(refused({{"__metadata__", DType::u8, {1}, bytes_of(one), {}}}));
  CHECK(refused({{"\xff", DType::u8, {1}, bytes_of(one), {}}}));
  CHECK(refused({{"a", DType::u8, {2}, bytes_of(one), {}}}));
  CHECK(refused({{"a", DType::u8, {-1}, bytes_of(one), {}}}));
  CHECK(refused({{"a", DType::u8, {INT64_MAX, INT64_MAX}, bytes_of(one), {}}}));
  CHECK(refused({{"a", DType::u8, {1}, bytes_of(one), {}}, {"a", DType::u8, {1}, bytes_of(one), {}}}));
  CHECK(refused({{"a", DType::u8, {0}, {}, {}}, {"a", DType::f32, {0}, {}, {}}}));
  CHECK(refused({{"a", DType::u8, {1}, bytes_of(one), {}}}, {{"k", "\xff"}}));
}

}  // namespace
}  // namespace natscope

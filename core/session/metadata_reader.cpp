// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/metadata_reader.h"

#include <algorithm>

namespace natscope::session {

Expected<std::string> MetadataReader::text(std::string_view key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) return fail(code_, "the metadata has no “" + std::string(key) + "”");
  if (!is_one_line(found->second)) return malformed(key, found->second);
  return found->second;
}

bool is_one_line(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

Unexpected MetadataReader::malformed(std::string_view key, std::string_view value) const {
  return fail(code_, "the metadata's “" + std::string(key) + "” cannot be “" + printable(value, 80) + "”");
}

Expected<void> MetadataReader::check_format(std::string_view format, std::string_view version) const {
  const auto found = metadata_.find("format");
  if (found == metadata_.end() || found->second != format) {
    return fail(code_, "this file is no " + std::string(format) + ": its metadata's format is " +
                           (found == metadata_.end() ? "not there" : "“" + printable(found->second, 80) + "”"));
  }
  NATSCOPE_TRY(const std::string written, text("version"));
  if (written != version) {
    return fail(code_, "the file has version “" + printable(written, 40) + "”, this program reads version " +
                           std::string(version));
  }
  return {};
}

Expected<const TensorInfo*> expect_tensor(const SafetensorsFile& file, std::string_view name, DType dtype,
                                          const std::vector<std::int64_t>& shape, ErrorCode code) {
  const TensorInfo* tensor = file.find(name);
  if (tensor == nullptr) return fail(code, "there is no tensor “" + std::string(name) + "”");
  bool fits = tensor->shape.size() == shape.size();
  for (std::size_t axis = 0; fits && axis < shape.size(); ++axis) {
    fits = shape[axis] < 0 || shape[axis] == tensor->shape[axis];
  }
  if (fits && tensor->dtype == dtype) return tensor;
  std::vector<std::int64_t> wanted = shape;
  std::string text = shape_text(wanted);
  for (std::size_t at = text.find("-1"); at != std::string::npos; at = text.find("-1")) text.replace(at, 2, "any");
  return fail(code, "tensor “" + std::string(name) + "” is " + natscope::name(tensor->dtype) + " " +
                        shape_text(tensor->shape) + ", it must be " + natscope::name(dtype) + " " + text);
}

}  // namespace natscope::session

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/roles_file.h"

#include <limits>
#include <new>

#include "core/session/metadata_reader.h"

namespace natscope {

Expected<RoleArray> read_roles_file(const std::filesystem::path& path) try {
  NATSCOPE_TRY(const SafetensorsFile file, SafetensorsFile::open(path));
  NATSCOPE_TRY(const TensorInfo* tensor,
               session::expect_tensor(file, "roles", DType::u8, {-1, -1, -1}, ErrorCode::bad_roles));
  constexpr std::int64_t limit = std::numeric_limits<std::int32_t>::max();
  for (const std::int64_t size : tensor->shape) {
    if (size < 1 || size > limit) {
      return fail(ErrorCode::bad_roles, "tensor “roles” has the impossible shape " + shape_text(tensor->shape));
    }
  }
  RoleArray array{
      static_cast<std::int32_t>(tensor->shape[0]), static_cast<std::int32_t>(tensor->shape[1]), tensor->shape[2], {}};
  array.roles.reserve(tensor->data.size());
  for (const std::byte value : tensor->data) {
    const int role = std::to_integer<int>(value);
    if (role >= role_count) {
      const auto at = static_cast<std::int64_t>(array.roles.size());
      return fail(ErrorCode::bad_roles,
                  "tensor “roles” holds " + std::to_string(role) + " at layer " +
                      std::to_string(at / array.length / array.kv_heads) + ", KV head " +
                      std::to_string(at / array.length % array.kv_heads) + ", position " +
                      std::to_string(at % array.length),
                  "roles are 0 (global), 1 (local) and 2 (sliding)");
    }
    array.roles.push_back(static_cast<Role>(role));
  }
  return array;
} catch (const std::bad_alloc&) {
  return fail(ErrorCode::out_of_memory, "no memory for roles of this size");
}

}  // namespace natscope

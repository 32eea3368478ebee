// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/tensor_pickle.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <variant>

#include "core/base/checked_math.h"
#include "core/base/utf8.h"

namespace natscope {
namespace {

constexpr std::size_t max_stack = 1U << 14U;
constexpr std::size_t max_memo = 1U << 18U;
constexpr std::size_t max_text_bytes = 1024;
constexpr std::size_t max_tuple = 16;
constexpr int max_nesting = 4;
constexpr std::size_t max_storage_digits = 9;

struct Value;

struct Mark {};
struct Tuple {
  std::shared_ptr<const std::vector<Value>> items;
  int nesting = 1;
};
using Text = std::shared_ptr<const std::string>;
enum class Callable { rebuild_tensor, ordered_dict };
struct StorageClass {
  DType dtype;
};
struct Storage {
  DType dtype;
  Text key;
  std::int64_t elements;
};
struct DictIndex {
  std::size_t at;
};
struct TensorIndex {
  std::size_t at;
};
/// Copies are shallow and nothing but a tuple holds values, so that no sharing or cycle can make anything large.
struct Value {
  std::variant<Mark, bool, std::int64_t, Text, Tuple, Callable, StorageClass, std::shared_ptr<const Storage>, DictIndex,
               TensorIndex>
      is;
};

using Entries = std::vector<std::pair<Text, std::size_t>>;  // name, tensor

constexpr auto storage_classes = std::to_array<std::pair<std::string_view, DType>>({
    {"FloatStorage", DType::f32},
    {"BFloat16Storage", DType::bf16},
    {"HalfStorage", DType::f16},
    {"DoubleStorage", DType::f64},
    {"LongStorage", DType::i64},
    {"IntStorage", DType::i32},
    {"ShortStorage", DType::i16},
    {"CharStorage", DType::i8},
    {"ByteStorage", DType::u8},
    {"BoolStorage", DType::boolean},
});

std::string hexadecimal(unsigned char byte) {
  constexpr std::string_view digits = "0123456789abcdef";
  return {'0', 'x', digits[byte >> 4U], digits[byte & 15U]};
}

/// The numbers of a tuple of integers that are not negative.
std::optional<std::vector<std::int64_t>> sizes_of(const Value& value) {
  const auto* const tuple = std::get_if<Tuple>(&value.is);
  if (tuple == nullptr) return std::nullopt;
  std::vector<std::int64_t> sizes;
  for (const Value& item : *tuple->items) {
    const auto* const size = std::get_if<std::int64_t>(&item.is);
    if (size == nullptr || *size < 0) return std::nullopt;
    sizes.push_back(*size);
  }
  return sizes;
}

/// Row-major without gaps; the stride of a dimension of one element is never used.
bool is_contiguous(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& strides) {
  std::int64_t expected = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

class Machine {
 public:
  explicit Machine(std::string_view pickle) : pickle_(pickle) {}

  Expected<std::vector<PickledTensor>> run() {
    if (pickle_.size() > max_tensor_pickle_bytes) return refuse("is larger than 4 MiB");
    if (pickle_.size() < 2 || pickle_[0] != '\x80') return refuse("does not begin as a pickle");
    if (pickle_[1] != 2) return refuse("is of another protocol than 2, which torch.save writes");
    at_ = 2;
    while (true) {
      opcode_at_ = at_;
      NATSCOPE_TRY(const unsigned char opcode, byte());
      if (opcode == '.') return result();
      NATSCOPE_CHECK(execute(opcode));
    }
  }

 private:
  Unexpected refuse(const std::string& why) const {
    return fail(ErrorCode::bad_adapter, "data.pkl " + why,
                "download the file again, or save a plain dict of tensors with torch.save");
  }
  Unexpected refuse_here(const std::string& why) const {
    return refuse("at byte " + std::to_string(opcode_at_) + ": " + why);
  }

  Expected<std::string_view> bytes(std::size_t count) {
    if (count > pickle_.size() - at_) return refuse("ends in the middle");
    at_ += count;
    return pickle_.substr(at_ - count, count);
  }
  Expected<unsigned char> byte() {
    NATSCOPE_TRY(const std::string_view one, bytes(1));
    return static_cast<unsigned char>(one[0]);
  }
  Expected<std::uint64_t> little_endian(std::size_t count) {
    NATSCOPE_TRY(const std::string_view raw, bytes(count));
    std::uint64_t value = 0;
    for (std::size_t i = count; i-- > 0;) value = value << 8U | static_cast<unsigned char>(raw[i]);
    return value;
  }
  Expected<std::string_view> line() {
    const std::size_t end = pickle_.find('\n', at_);
    if (end == std::string_view::npos || end - at_ > max_text_bytes) return refuse("ends in the middle of a name");
    const std::string_view text = pickle_.substr(at_, end - at_);
    at_ = end + 1;
    return text;
  }

  template <class T>
  Expected<void> push(T&& value) {
    if (stack_.size() >= max_stack) return refuse_here("the stack grows beyond what a dict of tensors needs");
    stack_.push_back(Value{std::forward<T>(value)});
    return {};
  }
  Expected<Value> pop() {
    if (stack_.empty() || std::holds_alternative<Mark>(stack_.back().is)) return refuse_here("the stack is empty");
    Value top = std::move(stack_.back());
    stack_.pop_back();
    return top;
  }
  Expected<std::vector<Value>> pop_to_mark() {
    const auto mark = std::find_if(stack_.rbegin(), stack_.rend(),
                                   [](const Value& value) { return std::holds_alternative<Mark>(value.is); });
    if (mark == stack_.rend()) return refuse_here("there is no mark on the stack");
    std::vector<Value> items(std::make_move_iterator(mark.base()), std::make_move_iterator(stack_.end()));
    stack_.erase(mark.base() - 1, stack_.end());
    return items;
  }
  Expected<std::vector<Value>> pop_some(std::size_t count) {
    std::vector<Value> items(count);
    for (std::size_t i = count; i-- > 0;) {
      NATSCOPE_TRY(items[i], pop());
    }
    return items;
  }

  Expected<void> execute(unsigned char opcode) {
    switch (opcode) {
      case '}':
        return push_dict();
      case '(':
        return push(Mark{});
      case ')':
        return push_tuple({});
      case 't': {
        NATSCOPE_TRY(auto items, pop_to_mark());
        return push_tuple(std::move(items));
      }
      case 0x85:
      case 0x86:
      case 0x87: {
        NATSCOPE_TRY(auto items, pop_some(opcode - 0x84U));
        return push_tuple(std::move(items));
      }
      case 0x88:
        return push(true);
      case 0x89:
        return push(false);
      case 'K':
        return push_number(1, false);
      case 'M':
        return push_number(2, false);
      case 'J':
        return push_number(4, true);
      case 0x8a: {
        NATSCOPE_TRY(const std::size_t size, byte());
        if (size == 0 || size > sizeof(std::int64_t))
          return refuse_here("a number of " + std::to_string(size) + " bytes");
        return push_number(size, true);
      }
      case 'X':
        return push_text();
      case 'c':
        return push_global();
      case 'q':
        return put(1);
      case 'r':
        return put(4);
      case 'h':
        return get(1);
      case 'j':
        return get(4);
      case 'Q':
        return make_storage();
      case 'R':
        return reduce();
      case 's': {
        NATSCOPE_TRY(auto items, pop_some(2));
        return set_items(std::move(items));
      }
      case 'u': {
        NATSCOPE_TRY(auto items, pop_to_mark());
        return set_items(std::move(items));
      }
      default:
        return refuse_here("opcode " + hexadecimal(opcode) + " has no place in a dict of tensors");
    }
  }

  Expected<void> push_dict() {
    dicts_.emplace_back();
    return push(DictIndex{dicts_.size() - 1});
  }

  Expected<void> push_tuple(std::vector<Value> items) {
    if (items.size() > max_tuple) return refuse_here("a tuple of " + std::to_string(items.size()) + " values");
    int nesting = 1;
    for (const Value& item : items) {
      if (const auto* const inner = std::get_if<Tuple>(&item.is)) nesting = std::max(nesting, inner->nesting + 1);
    }
    if (nesting > max_nesting) return refuse_here("tuples in tuples, deeper than a tensor has them");
    return push(Tuple{std::make_shared<const std::vector<Value>>(std::move(items)), nesting});
  }

  Expected<void> push_number(std::size_t size, bool is_signed) {
    NATSCOPE_TRY(const std::uint64_t raw, little_endian(size));
    // No size, offset or stride of ours is negative.
    if (is_signed && (raw >> (8 * size - 1) & 1U) != 0) return refuse_here("a negative number");
    return push(static_cast<std::int64_t>(raw));
  }

  Expected<void> push_text() {
    NATSCOPE_TRY(const std::uint64_t size, little_endian(4));
    if (size > max_text_bytes) return refuse_here("a text of " + std::to_string(size) + " bytes");
    NATSCOPE_TRY(const std::string_view text, bytes(static_cast<std::size_t>(size)));
    if (!valid_utf8(text)) return refuse_here("a text that is not UTF-8");
    return push(std::make_shared<const std::string>(text));
  }

  Expected<void> push_global() {
    NATSCOPE_TRY(const std::string_view module, line());
    NATSCOPE_TRY(const std::string_view name, line());
    if (module == "torch._utils" && name == "_rebuild_tensor_v2") return push(Callable::rebuild_tensor);
    if (module == "collections" && name == "OrderedDict") return push(Callable::ordered_dict);
    if (module == "torch") {
      for (const auto& [known, dtype] : storage_classes) {
        if (name == known) return push(StorageClass{dtype});
      }
    }
    return refuse_here("it asks for " + printable(module, 80) + "." + printable(name, 80) +
                       ", which a dict of tensors does not need");
  }

  Expected<void> put(std::size_t size) {
    NATSCOPE_TRY(const std::uint64_t index, little_endian(size));
    if (stack_.empty() || std::holds_alternative<Mark>(stack_.back().is)) return refuse_here("nothing to remember");
    if (memo_.size() >= max_memo) return refuse_here("it remembers more than a dict of tensors needs");
    memo_[index] = stack_.back();
    return {};
  }
  Expected<void> get(std::size_t size) {
    NATSCOPE_TRY(const std::uint64_t index, little_endian(size));
    const auto found = memo_.find(index);
    if (found == memo_.end()) return refuse_here("it recalls what was never remembered");
    return push(Value(found->second).is);
  }

  /// ("storage", class, key, location, elements)
  Expected<void> make_storage() {
    NATSCOPE_TRY(const Value top, pop());
    const auto* const tuple = std::get_if<Tuple>(&top.is);
    if (tuple == nullptr || tuple->items->size() != 5) return refuse_here("a storage is told by five values");
    const std::vector<Value>& items = *tuple->items;
    const auto* const kind = std::get_if<Text>(&items[0].is);
    const auto* const storage_class = std::get_if<StorageClass>(&items[1].is);
    const auto* const key = std::get_if<Text>(&items[2].is);
    const auto* const location = std::get_if<Text>(&items[3].is);
    const auto* const elements = std::get_if<std::int64_t>(&items[4].is);
    if (kind == nullptr || **kind != "storage" || storage_class == nullptr || key == nullptr || location == nullptr ||
        elements == nullptr) {
      return refuse_here("a storage is told by \"storage\", its class, key, place and size");
    }
    const bool is_plain = !(*key)->empty() && (*key)->size() <= max_storage_digits &&
                          (*key)->find_first_not_of("0123456789") == std::string::npos;
    if (!is_plain) return refuse_here("a storage of the name " + printable(**key, 40) + ", which is no number");
    return push(std::make_shared<const Storage>(Storage{storage_class->dtype, *key, *elements}));
  }

  Expected<void> reduce() {
    NATSCOPE_TRY(const Value arguments, pop());
    NATSCOPE_TRY(const Value callee, pop());
    const auto* const tuple = std::get_if<Tuple>(&arguments.is);
    const auto* const callable = std::get_if<Callable>(&callee.is);
    if (tuple == nullptr || callable == nullptr) return refuse_here("a call of something that cannot be called");
    if (*callable == Callable::rebuild_tensor) return make_tensor(*tuple->items);
    if (!tuple->items->empty()) return refuse_here("an OrderedDict made from something");
    return push_dict();
  }

  /// (storage, offset, shape, strides, requires_grad, hooks)
  Expected<void> make_tensor(const std::vector<Value>& items) {
    if (items.size() != 6) return refuse_here("a tensor is told by six values");
    const auto* const storage = std::get_if<std::shared_ptr<const Storage>>(&items[0].is);
    const auto* const offset = std::get_if<std::int64_t>(&items[1].is);
    auto shape = sizes_of(items[2]);
    const auto strides = sizes_of(items[3]);
    const auto* const hooks = std::get_if<DictIndex>(&items[5].is);
    if (storage == nullptr || offset == nullptr || !shape || !strides || !std::holds_alternative<bool>(items[4].is) ||
        hooks == nullptr) {
      return refuse_here("a tensor is told by storage, offset, shape, strides, a flag and an OrderedDict");
    }
    if (!dicts_[hooks->at].empty()) return refuse_here("a tensor with hooks");
    if (shape->size() != strides->size()) return refuse_here("a tensor with more or fewer strides than dimensions");
    const auto elements = checked_product(*shape);
    if (!elements) return refuse_here("a shape that overflows");
    constexpr const char* hint = "save clones: {name: tensor.detach().clone().contiguous()}";
    if (*offset != 0 || *elements != static_cast<std::uint64_t>((*storage)->elements)) {
      return fail(ErrorCode::bad_adapter,
                  "data.pkl at byte " + std::to_string(opcode_at_) + ": a tensor that is not its whole storage", hint);
    }
    if (*elements > 0 && !is_contiguous(*shape, *strides)) {
      return fail(ErrorCode::bad_adapter,
                  "data.pkl at byte " + std::to_string(opcode_at_) + ": a tensor whose strides are not row-major",
                  hint);
    }
    PickledTensor tensor;
    tensor.dtype = (*storage)->dtype;
    tensor.storage = *(*storage)->key;
    tensor.elements = (*storage)->elements;
    tensor.shape = std::move(*shape);
    tensors_.push_back(std::move(tensor));
    return push(TensorIndex{tensors_.size() - 1});
  }

  Expected<void> set_items(std::vector<Value> items) {
    NATSCOPE_TRY(const Value top, pop());
    const auto* const dict = std::get_if<DictIndex>(&top.is);
    if (dict == nullptr) return refuse_here("items for something that is no dict");
    if (items.size() % 2 != 0) return refuse_here("a key without a value");
    for (std::size_t i = 0; i < items.size(); i += 2) {
      const auto* const key = std::get_if<Text>(&items[i].is);
      const auto* const tensor = std::get_if<TensorIndex>(&items[i + 1].is);
      if (key == nullptr) return refuse_here("a key that is not text");
      if (tensor == nullptr) return refuse_here("the value of " + printable(**key, 80) + " is no tensor");
      dicts_[dict->at].emplace_back(*key, tensor->at);
    }
    return push(*dict);
  }

  Expected<std::vector<PickledTensor>> result() {
    if (at_ != pickle_.size()) return refuse("goes on behind its end");
    NATSCOPE_TRY(const Value top, pop());
    const auto* const dict = std::get_if<DictIndex>(&top.is);
    if (dict == nullptr || !stack_.empty()) return refuse("holds something else than one dict of tensors");
    std::vector<PickledTensor> found;
    std::set<std::string> names, storages;
    for (const auto& [name, tensor] : dicts_[dict->at]) {
      if (!names.insert(*name).second) return refuse("holds " + printable(*name, 80) + " twice");
      if (!storages.insert(tensors_[tensor].storage).second) {
        return fail(ErrorCode::bad_adapter,
                    "data.pkl: " + printable(*name, 80) + " shares its storage with another tensor",
                    "save clones: {name: tensor.detach().clone().contiguous()}");
      }
      found.push_back(tensors_[tensor]);
      found.back().name = *name;
    }
    return found;
  }

  std::string_view pickle_;
  std::size_t at_ = 0;
  std::size_t opcode_at_ = 0;
  std::vector<Value> stack_;
  std::unordered_map<std::uint64_t, Value> memo_;
  std::vector<Entries> dicts_;
  std::vector<PickledTensor> tensors_;
};

}  // namespace

Expected<std::vector<PickledTensor>> read_tensor_pickle(std::string_view pickle) { return Machine(pickle).run(); }

}  // namespace natscope

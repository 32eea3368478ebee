// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/adapter_conversion.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/small_file.h"
#include "core/base/utf8.h"
#include "core/io/adapter.h"
#include "core/io/safetensors_writer.h"
#include "core/io/torch_archive.h"
#include "core/json/json_limits.h"
#include "core/model/tensor_table.h"

namespace natscope {
namespace {

namespace fs = std::filesystem;

constexpr auto targets = std::to_array<std::string_view>({"q_proj", "k_proj", "v_proj", "o_proj"});
constexpr const char* config_name = "adapter_config.json";

/// Whose model the names are of.
enum class Layout { hugging_face, torchtune };

struct Place {
  int layer = 0;
  std::string target;  ///< empty: the score layer
  char factor = 0;     ///< 'a' or 'b'
  Layout layout = Layout::hugging_face;
  bool says_output_proj = false;
};

constexpr const char* save_weights = "save the adapter's weights, a dict of tensors, with torch.save";
constexpr const char* save_names =
    "adapters' names are layers.N.self_attn.proj_layer.weight, and lora_a and lora_b of q_proj, k_proj, v_proj, o_proj";

Unexpected bad(const std::string& why, std::string hint = {}) {
  return fail(ErrorCode::bad_adapter, why, std::move(hint));
}

/// Whether a bit pattern is no infinity and no NaN: those have every bit of the exponent.
template <class Bits>
bool all_finite(std::span<const std::byte> data, Bits exponent) {
  for (std::size_t at = 0; at < data.size(); at += sizeof(Bits)) {
    Bits bits{};
    std::memcpy(&bits, data.data() + at, sizeof bits);
    if ((bits & exponent) == exponent) return false;
  }
  return true;
}

/// Of weights.
bool is_finite(const TorchTensor& tensor) {
  switch (tensor.dtype) {
    case DType::bf16:
      return all_finite<std::uint16_t>(tensor.data, 0x7f80);
    case DType::f16:
      return all_finite<std::uint16_t>(tensor.data, 0x7c00);
    default:
      return all_finite<std::uint32_t>(tensor.data, 0x7f800000);
  }
}

Expected<Place> place_of(const std::string& name) {
  const auto unknown = [&](const std::string& why) {
    return bad("tensor " + printable(name, 120) + " " + why, save_names);
  };
  std::vector<std::string_view> parts;
  for (std::string_view rest = name;;) {
    const std::size_t dot = rest.find('.');
    parts.push_back(rest.substr(0, dot));
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  constexpr const char* no_place = "is neither a score layer nor a LoRA factor of q, k, v or o";
  if (parts.size() < 5 || parts[0] != "layers" || parts.back() != "weight") return unknown(no_place);
  Place place;
  const auto [end, problem] = std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), place.layer);
  const bool is_number = problem == std::errc() && end == parts[1].data() + parts[1].size() && place.layer >= 0 &&
                         std::to_string(place.layer) == parts[1];
  if (!is_number) return unknown("has no layer number");
  if (parts[2] == "mlp") return unknown("changes the feed-forward part, which is not implemented");
  if (parts[2] != "self_attn" && parts[2] != "attn") return unknown(no_place);
  place.layout = parts[2] == "attn" ? Layout::torchtune : Layout::hugging_face;
  if (parts.size() == 5 && parts[3] == "proj_layer") return place;
  if (parts.size() != 6 || (parts[4] != "lora_a" && parts[4] != "lora_b")) return unknown(no_place);
  place.factor = parts[4].back();
  place.says_output_proj = parts[3] == "output_proj";
  place.target = place.says_output_proj ? "o_proj" : std::string(parts[3]);
  if (std::find(targets.begin(), targets.end(), place.target) == targets.end()) return unknown(no_place);
  return place;
}

/// Torchtune's rotation pairs rows 2 i and 2 i + 1 of a head, Hugging Face's i and i + half.
std::vector<std::byte> rows_as_hugging_face(const TorchTensor& tensor, int heads, int head_dim) {
  std::vector<std::byte> moved(tensor.data.size());
  const std::size_t row_bytes = static_cast<std::size_t>(tensor.shape[1]) * item_bytes(tensor.dtype);
  const auto half = static_cast<std::size_t>(head_dim) / 2;
  for (std::size_t head = 0; head < static_cast<std::size_t>(heads); ++head) {
    for (std::size_t i = 0; i < half; ++i) {
      for (std::size_t j = 0; j < 2; ++j) {
        const std::size_t from = head * 2 * half + 2 * i + j;
        const std::size_t to = head * 2 * half + j * half + i;
        std::copy_n(tensor.data.begin() + static_cast<std::ptrdiff_t>(from * row_bytes), row_bytes,
                    moved.begin() + static_cast<std::ptrdiff_t>(to * row_bytes));
      }
    }
  }
  return moved;
}

class Conversion {
 public:
  Conversion(const ModelConfig& base, std::vector<TorchTensor> tensors) : base_(base), tensors_(std::move(tensors)) {}

  /// Reads the names, checks all shapes, and puts rows into order.
  Expected<ConvertedAdapter> convert() {
    if (tensors_.empty()) return bad("it holds no tensors", save_weights);
    for (TorchTensor& tensor : tensors_) NATSCOPE_CHECK(take(tensor));
    NATSCOPE_CHECK(check_layout());
    NATSCOPE_CHECK(check_complete());
    if (layout_ == Layout::torchtune && turns_rows()) reorder();
    found_.tensors = tensors_.size();
    const DType first = tensors_.front().dtype;
    found_.dtype = std::ranges::all_of(tensors_, [&](const TorchTensor& tensor) { return tensor.dtype == first; })
                       ? name(first)
                       : "mixed";
    return found_;
  }

  /// Under the names that an adapter folder has. Points into this object.
  [[nodiscard]] std::vector<TensorToWrite> to_write() const {
    std::vector<TensorToWrite> result;
    for (const auto& [name, tensor] : by_name_)
      result.push_back({name, tensor->dtype, tensor->shape, tensor->data, {}});
    return result;
  }

 private:
  Expected<void> take(TorchTensor& tensor) {
    NATSCOPE_TRY(const Place place, place_of(tensor.name));
    const auto wrong = [&](const std::string& why) { return bad("tensor " + printable(tensor.name, 120) + " " + why); };
    if (place.layer >= base_.layers) return wrong("is of a layer that the base model does not have");
    if (!is_weight_dtype(tensor.dtype)) {
      return bad("tensor " + printable(tensor.name, 120) + " is " + name(tensor.dtype) + ", no type of weights",
                 "save it as float32, bfloat16 or float16");
    }
    if (!is_finite(tensor)) {
      return bad("tensor " + printable(tensor.name, 120) + " holds infinities or NaN",
                 "take the weights of an earlier checkpoint of that training");
    }
    if (!by_name_.empty() && place.layout != layout_) {
      return bad("the file has names of Hugging Face's (self_attn) and of torchtune's layout (attn)");
    }
    layout_ = place.layout;
    const bool is_score = place.target.empty();
    const std::string stored =
        is_score ? score_layer_name(place.layer) : lora_name(place.layer, place.target, place.factor);
    if (!by_name_.emplace(stored, &tensor).second) return wrong("stands twice, under two names");
    if (is_score) {
      ++found_.layers;
      return check_shape(tensor, {base_.score_rows(), base_.hidden});
    }
    says_output_proj_ = says_output_proj_ || place.says_output_proj;
    if (std::find(found_.lora_targets.begin(), found_.lora_targets.end(), place.target) == found_.lora_targets.end()) {
      found_.lora_targets.push_back(place.target);
    }
    if (tensor.shape.size() != 2) return wrong("is not a matrix");
    const std::int64_t rank = tensor.shape[place.factor == 'a' ? 0 : 1];
    constexpr std::int64_t max_rank = 4096;
    if (rank < 1 || rank > max_rank) return wrong("has rank " + std::to_string(rank));
    if (found_.lora_rank == 0) found_.lora_rank = static_cast<int>(rank);
    const bool is_o = place.target == "o_proj";
    const std::int64_t in = is_o ? base_.q_rows() : base_.hidden;
    const std::int64_t out = is_o ? base_.hidden : place.target == "q_proj" ? base_.q_rows() : base_.kv_rows();
    if (place.factor == 'a') return check_shape(tensor, {found_.lora_rank, in});
    return check_shape(tensor, {out, found_.lora_rank});
  }

  static Expected<void> check_shape(const TorchTensor& tensor, const std::vector<std::int64_t>& shape) {
    if (tensor.shape == shape) return {};
    return bad("tensor " + printable(tensor.name, 120) + " is " + shape_text(tensor.shape) +
               ", but on this base model " + shape_text(shape) + " is needed");
  }

  /// Whether torchtune stores this family's rows of q and k in another order than Hugging Face: Llama's and Mistral's,
  /// whose rotation there pairs neighbours. Qwen's and Phi-3's rotate halves, as Hugging Face's do, and their rows
  /// stay.
  [[nodiscard]] bool turns_rows() const {
    return base_.family == ModelFamily::llama || base_.family == ModelFamily::mistral;
  }

  [[nodiscard]] bool rotates() const {
    const auto is_rotated = [](const std::string& target) { return target == "q_proj" || target == "k_proj"; };
    return std::any_of(found_.lora_targets.begin(), found_.lora_targets.end(), is_rotated);
  }

  [[nodiscard]] Expected<void> check_layout() const {
    if (layout_ == Layout::hugging_face && says_output_proj_ && rotates() && turns_rows()) {
      return bad(
          "self_attn is Hugging Face's name and output_proj torchtune's: the order of the rows of q and k cannot "
          "be known",
          "rename output_proj to o_proj when the base was a Hugging Face model, else self_attn to attn");
    }
    return {};
  }

  [[nodiscard]] Expected<void> check_complete() {
    // In the order of an adapter folder, whatever that of the file.
    std::vector<std::string> ordered;
    for (const std::string_view target : targets) {
      const auto found = std::find(found_.lora_targets.begin(), found_.lora_targets.end(), target);
      if (found != found_.lora_targets.end()) ordered.push_back(*found);
    }
    found_.lora_targets = std::move(ordered);
    for (int layer = 0; layer < base_.layers; ++layer) {
      if (found_.layers > 0 && !by_name_.contains(score_layer_name(layer))) {
        return bad("the score layer of layer " + std::to_string(layer) + " is missing");
      }
      for (const std::string& target : found_.lora_targets) {
        for (const char factor : {'a', 'b'}) {
          if (by_name_.contains(lora_name(layer, target, factor))) continue;
          return bad("lora_" + std::string(1, factor) + " of " + target + " of layer " + std::to_string(layer) +
                     " is missing");
        }
      }
    }
    return {};
  }

  void reorder() {
    for (int layer = 0; layer < base_.layers; ++layer) {
      for (const std::string& target : found_.lora_targets) {
        if (target != "q_proj" && target != "k_proj") continue;
        TorchTensor& tensor = *by_name_.at(lora_name(layer, target, 'b'));
        tensor.data = rows_as_hugging_face(tensor, target == "q_proj" ? base_.heads : base_.kv_heads, base_.head_dim);
      }
    }
  }

  const ModelConfig& base_;
  std::vector<TorchTensor> tensors_;
  std::map<std::string, TorchTensor*> by_name_;
  Layout layout_ = Layout::hugging_face;
  bool says_output_proj_ = false;
  ConvertedAdapter found_;
};

Expected<nlohmann::json> config_json(const AdapterConversion& conversion, const ConvertedAdapter& found,
                                     const fs::path& base) {
  std::error_code problem;
  const std::string base_path = fs::absolute(base, problem).lexically_normal().string();
  if (!valid_utf8(base_path)) {
    return fail(ErrorCode::usage, "the base's path " + printable(base_path) + " is not UTF-8, and JSON holds no other",
                "rename the folder, or give a link to it");
  }
  nlohmann::json config{{"base_model", base_path}};
  if (found.layers > 0) {
    config["nats"] = {{"window", conversion.window}, {"global_bias", conversion.global_bias}};
    if (conversion.sparse_regularized_value) {
      config["nats"]["sparse_regularized_value"] = *conversion.sparse_regularized_value;
    }
  }
  if (found.lora_rank > 0) {
    config["lora"] = {{"rank", found.lora_rank}, {"alpha", conversion.lora_alpha}, {"targets", found.lora_targets}};
  }
  return config;
}

}  // namespace

Expected<ConvertedAdapter> convert_adapter(const AdapterConversion& conversion) {
  if (path_exists(conversion.out / config_name) || path_exists(conversion.out / "adapter.safetensors")) {
    return fail(ErrorCode::usage, printable(conversion.out.string()) + " already holds an adapter",
                "choose another folder");
  }
  std::error_code unknown;  // what is no folder, or none that may be looked into, says so when it is written to
  if (fs::is_directory(conversion.out, unknown) && !fs::is_empty(conversion.out, unknown) && !unknown)
    return fail(ErrorCode::usage, printable(conversion.out.string()) + " is not empty", "choose another folder");
  NATSCOPE_TRY(const ModelFolder base, ModelFolder::open(conversion.base));
  NATSCOPE_TRY(auto tensors, read_torch_archive(conversion.weights));
  Conversion work(base.config(), std::move(tensors));
  auto found = work.convert();
  if (!found) {
    Error error = std::move(found).error();
    error.message = printable(conversion.weights.string()) + ": " + error.message;
    return Unexpected(std::move(error));
  }
  NATSCOPE_TRY(const nlohmann::json object, config_json(conversion, *found, base.path()));
  NATSCOPE_TRY(const std::string config, json_file_text(object, config_name));
  std::error_code problem;
  fs::create_directories(conversion.out, problem);
  if (problem) return fail(ErrorCode::io_failure, printable(conversion.out.string()) + ": " + problem.message());
  NATSCOPE_CHECK(write_safetensors(conversion.out / "adapter.safetensors", work.to_write(), {{"format", "pt"}}));
  NATSCOPE_CHECK(write_file_atomically(conversion.out / config_name, config));
  return found;
}

}  // namespace natscope

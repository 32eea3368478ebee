// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/core/engine/dense_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <string>

#include "tests/support/half_value.h"

namespace natscope::test {
namespace {

using Row = std::vector<double>;

struct Weights {
  std::vector<double> values;
  std::size_t rows = 0;
  std::size_t cols = 0;
};

class Reader {
 public:
  explicit Reader(const TinyModel& model) : model_(model) {}

  [[nodiscard]] bool has(const std::string& name) const { return find(name) != nullptr; }

  [[nodiscard]] Weights get(const std::string& name) const {
    Weights weights;
    const TinyTensor* const tensor = find(name);
    if (tensor == nullptr) return weights;
    weights.rows = tensor->shape.size() == 2 ? static_cast<std::size_t>(tensor->shape[0]) : 1;
    weights.cols = static_cast<std::size_t>(tensor->shape.back());
    for (std::size_t i = 0; i < weights.rows * weights.cols; ++i) weights.values.push_back(element(*tensor, i));
    return weights;
  }

 private:
  [[nodiscard]] const TinyTensor* find(const std::string& name) const {
    for (const TinyTensor& tensor : model_.tensors) {
      if (tensor.name == name) return &tensor;
    }
    return nullptr;
  }

  static double element(const TinyTensor& tensor, std::size_t i) {
    if (tensor.dtype == DType::f32) {
      float value = 0;
      std::memcpy(&value, tensor.bytes.data() + 4 * i, 4);
      return value;
    }
    std::uint16_t half = 0;
    std::memcpy(&half, tensor.bytes.data() + 2 * i, 2);
    if (tensor.dtype == DType::f16) return half_value(half);
    const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16U;
    float value = 0;
    std::memcpy(&value, &bits, 4);
    return value;
  }

  const TinyModel& model_;
};

Row multiply(const Weights& matrix, const Row& x, const Weights& bias = {}) {
  Row out(matrix.rows);
  for (std::size_t row = 0; row < matrix.rows; ++row) {
    for (std::size_t col = 0; col < matrix.cols; ++col) out[row] += matrix.values[row * matrix.cols + col] * x[col];
    if (!bias.values.empty()) out[row] += bias.values[row];
  }
  return out;
}

Row normalised(const Row& x, const Weights& weight, double eps) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  Row out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    out[i] = x[i] / std::sqrt(squares / static_cast<double>(x.size()) + eps) * weight.values[i % weight.values.size()];
  }
  return out;
}

/// How a layer turns heads.
struct Turning {
  std::vector<double> frequencies;  // of the pairs (i, i + their number) of a head's first numbers; none: nothing turns
  double scale = 1;                 // of what is turned

  /// Of a layer, from config.json.
  Turning(const nlohmann::json& config, int head_dim, int layer) {
    if (config["model_type"] == "smollm3") {
      const int interval = config.value("no_rope_layer_interval", 4);
      const bool turns = config.contains("no_rope_layers")
                             ? config["no_rope_layers"][static_cast<std::size_t>(layer)] != 0
                             : (layer + 1) % interval != 0;
      if (!turns) return;
    }
    const int rotated = static_cast<int>(head_dim * config.value("partial_rotary_factor", 1.0));
    const double theta = config["rope_theta"];
    for (int i = 0; i < rotated / 2; ++i) frequencies.push_back(std::pow(theta, -2.0 * i / rotated));
    if (!config.contains("rope_scaling") || config["rope_scaling"].is_null()) return;
    const nlohmann::json& longrope = config["rope_scaling"];
    const double context = config["max_position_embeddings"], original = config["original_max_position_embeddings"];
    if (context > original) scale = std::sqrt(1 + std::log(context / original) / std::log(original));
    for (std::size_t i = 0; i < frequencies.size(); ++i)
      frequencies[i] /= static_cast<double>(longrope["short_factor"][i].get<float>());
  }
};

/// Head `head` of a row of heads, normed if there is a norm, turned to `position`.
Row head_of(const Row& rows, int head, int head_dim, const Weights& norm, double eps, const Turning& turning,
            int position) {
  Row out(rows.begin() + head * head_dim, rows.begin() + (head + 1) * head_dim);
  if (!norm.values.empty()) out = normalised(out, norm, eps);
  const std::size_t half = turning.frequencies.size();
  Row turned = out;
  for (std::size_t i = 0; i < half; ++i) {
    const double angle = position * turning.frequencies[i];
    turned[i] = turning.scale * (out[i] * std::cos(angle) - out[i + half] * std::sin(angle));
    turned[i + half] = turning.scale * (out[i + half] * std::cos(angle) + out[i] * std::sin(angle));
  }
  return turned;
}

int next_global(const std::vector<int>& roles, int n, int last) {
  for (int j = n + 1; j <= last; ++j) {
    if (roles[static_cast<std::size_t>(j)] == 0) return j;
  }
  return 1 << 30;
}

/// Section 4 of the rules, word by word.
bool sees(const std::vector<int>& roles, int m, int n, int window) {
  if (n > m) return false;
  if (n == m) return true;
  const int role = roles[static_cast<std::size_t>(n)];
  if (role == 0) return true;
  if (role == 1) return m <= next_global(roles, n, static_cast<int>(roles.size()) - 1);
  return m <= n + window;
}

/// Section 5: what query t + 1 can see, if it is itself anything.
int held_after(const std::vector<int>& roles, int t, int window) {
  int held = 0;
  for (int n = 0; n <= t; ++n) {
    const int role = roles[static_cast<std::size_t>(n)];
    if (role == 0 || (role == 1 && next_global(roles, n, t) > t) || (role == 2 && n + window >= t + 1)) ++held;
  }
  return held;
}

}  // namespace

DenseResult dense_forward(const TinyModel& model, const std::vector<std::int32_t>& tokens,
                          const DenseOptions& options) {
  const Reader reader(model);
  const nlohmann::json& config = model.config;
  const int layers = config["num_hidden_layers"];
  const int heads = config["num_attention_heads"];
  const int kv_heads = config["num_key_value_heads"];
  const int head_dim = config["head_dim"];
  const double eps = config["rms_norm_eps"];
  const double embedding_multiplier = config.value("embedding_multiplier", 1.0);
  const double residual_multiplier = config.value("residual_multiplier", 1.0);
  const double score_scale =
      config.value("attention_multiplier", config["model_type"] == "granite" ? 1.0 : 1 / std::sqrt(head_dim));
  const double logits_scaling = config.value("logits_scaling", 1.0);
  const bool nats = config.contains("nats") && !config["nats"].is_null();
  const int window = options.window.value_or(nats ? config["nats"]["window"].get<int>() : 0);
  const double bias = nats ? static_cast<double>(config["nats"]["global_bias"].get<float>()) : 0;
  const int group = heads / kv_heads;
  const int length = static_cast<int>(tokens.size());

  DenseResult result;
  const Weights embedding = reader.get("model.embed_tokens.weight");
  std::vector<Row> x;
  for (const std::int32_t token : tokens) {
    const auto first =
        embedding.values.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(token) * embedding.cols);
    x.emplace_back(first, first + static_cast<std::ptrdiff_t>(embedding.cols));
    for (double& number : x.back()) number *= embedding_multiplier;
  }

  for (int layer = 0; layer < layers; ++layer) {
    const Turning turning(config, head_dim, layer);
    const std::string at = "model.layers." + std::to_string(layer) + ".";
    const auto weight = [&](const char* name) { return reader.get(at + name); };
    const Weights input_norm = weight("input_layernorm.weight"), post_norm = weight("post_attention_layernorm.weight");
    const Weights q = weight("self_attn.q_proj.weight"), k = weight("self_attn.k_proj.weight"),
                  v = weight("self_attn.v_proj.weight");
    const Weights q_bias = weight("self_attn.q_proj.bias"), k_bias = weight("self_attn.k_proj.bias"),
                  v_bias = weight("self_attn.v_proj.bias");
    const Weights q_norm = weight("self_attn.q_norm.weight"), k_norm = weight("self_attn.k_norm.weight");
    const Weights o = weight("self_attn.o_proj.weight"), o_bias = weight("self_attn.o_proj.bias");
    const Weights score = weight("self_attn.proj_layer.weight");
    const Weights gate = weight("mlp.gate_proj.weight"), up = weight("mlp.up_proj.weight"),
                  down = weight("mlp.down_proj.weight");
    const Weights gate_bias = weight("mlp.gate_proj.bias"), up_bias = weight("mlp.up_proj.bias"),
                  down_bias = weight("mlp.down_proj.bias");

    std::vector<Row> queries, keys, values, z;
    for (const Row& row : x) {
      const Row normed = normalised(row, input_norm, eps);
      queries.push_back(multiply(q, normed, q_bias));
      keys.push_back(multiply(k, normed, k_bias));
      values.push_back(multiply(v, normed, v_bias));
      z.push_back(multiply(score, normed));
    }

    result.roles.emplace_back();
    result.scores.emplace_back();
    result.attention.emplace_back();
    result.visible.emplace_back();
    result.entries.emplace_back();
    std::vector<Row> attended(x.size(), Row(static_cast<std::size_t>(heads * head_dim)));
    struct Head {
      std::vector<int> entries;
      std::set<int> held;
      std::vector<double> heat;
      std::vector<std::vector<Row>> weights;
      std::vector<std::vector<char>> seen;
    };
    std::vector<Head> all(static_cast<std::size_t>(kv_heads));
    for (int kv_head = 0; kv_head < kv_heads; ++kv_head) {
      std::vector<int> roles;
      std::vector<Row> of_head;
      for (int n = 0; n < length; ++n) {
        Row three;
        int role = 0;
        if (nats) {
          for (int option = 0; option < 3; ++option)
            three.push_back(z[static_cast<std::size_t>(n)][static_cast<std::size_t>(3 * kv_head + option)]);
          const double biased[3] = {three[0] + bias, three[1], three[2]};
          for (int option = 1; option < 3; ++option) {
            if (biased[option] > biased[role]) role = option;
          }
          if (n == 0) role = 0;
        }
        if (options.role) {
          const int forced = options.role(layer, kv_head, n);
          if (forced >= 0) role = forced;
        }
        if (options.heavy >= 0) role = 0;
        roles.push_back(role);
        of_head.push_back(three);
      }

      result.roles.back().push_back(roles);
      result.scores.back().push_back(of_head);
      const auto size = static_cast<std::size_t>(length);
      Head& state = all[static_cast<std::size_t>(kv_head)];
      state.heat.resize(size);
      state.weights.assign(static_cast<std::size_t>(group), std::vector<Row>(size, Row(size)));
      state.seen.assign(size, std::vector<char>(size));
    }

    for (int m = 0; m < length; ++m) {
      std::vector<double> of_layer(static_cast<std::size_t>(length));
      for (int kv_head = 0; kv_head < kv_heads; ++kv_head) {
        auto& [entries, held, heat, weights, seen] = all[static_cast<std::size_t>(kv_head)];
        const std::vector<int>& roles = result.roles.back()[static_cast<std::size_t>(kv_head)];
        for (int n = 0; n <= m; ++n) {
          const bool is_hidden = options.hidden && options.hidden(layer, kv_head, m, n);
          const bool can = (options.heavy >= 0 ? n == m || held.contains(n) : sees(roles, m, n, window)) && !is_hidden;
          seen[static_cast<std::size_t>(m)][static_cast<std::size_t>(n)] = can ? 1 : 0;
        }
        for (int member = 0; member < group; ++member) {
          const int head = kv_head * group + member;
          const Row query = head_of(queries[static_cast<std::size_t>(m)], head, head_dim, q_norm, eps, turning, m);
          Row& row = weights[static_cast<std::size_t>(member)][static_cast<std::size_t>(m)];
          double sum = 0;
          for (int n = 0; n <= m; ++n) {
            if (seen[static_cast<std::size_t>(m)][static_cast<std::size_t>(n)] == 0) continue;
            const Row key = head_of(keys[static_cast<std::size_t>(n)], kv_head, head_dim, k_norm, eps, turning, n);
            double dot = 0;
            for (int d = 0; d < head_dim; ++d)
              dot += query[static_cast<std::size_t>(d)] * key[static_cast<std::size_t>(d)];
            row[static_cast<std::size_t>(n)] = std::exp(dot * score_scale);
            sum += row[static_cast<std::size_t>(n)];
          }
          for (int n = 0; n <= m; ++n) {
            row[static_cast<std::size_t>(n)] /= sum;
            heat[static_cast<std::size_t>(n)] += row[static_cast<std::size_t>(n)];
            of_layer[static_cast<std::size_t>(n)] += row[static_cast<std::size_t>(n)];
            for (int d = 0; d < head_dim; ++d) {
              attended[static_cast<std::size_t>(m)][static_cast<std::size_t>(head * head_dim + d)] +=
                  row[static_cast<std::size_t>(n)] *
                  values[static_cast<std::size_t>(n)][static_cast<std::size_t>(kv_head * head_dim + d)];
            }
          }
        }
        if (options.heavy < 0) entries.push_back(held_after(roles, m, window));
      }
      if (options.heavy < 0) continue;
      for (auto& [entries, held, heat, weights, seen] : all) {
        const std::vector<double>& decides = options.of_last_query ? of_layer : heat;
        held.insert(m);
        std::vector<int> old;
        for (const int n : held) {
          if (n < m - options.recent + 1) old.push_back(n);
        }
        std::ranges::stable_sort(old, [&](int a, int b) {
          return decides[static_cast<std::size_t>(a)] > decides[static_cast<std::size_t>(b)];
        });
        for (std::size_t rank = static_cast<std::size_t>(options.heavy); rank < old.size(); ++rank)
          held.erase(old[rank]);
        entries.push_back(static_cast<int>(held.size()));
      }
    }
    for (Head& state : all) {
      result.entries.back().push_back(state.entries);
      for (std::vector<Row>& map : state.weights) {
        result.attention.back().push_back(std::move(map));
        result.visible.back().push_back(state.seen);
      }
    }

    for (std::size_t m = 0; m < x.size(); ++m) {
      const Row projected = multiply(o, attended[m], o_bias);
      for (std::size_t i = 0; i < projected.size(); ++i) x[m][i] += residual_multiplier * projected[i];
      const Row normed = normalised(x[m], post_norm, eps);
      Row wide = multiply(gate, normed, gate_bias);
      const Row factor = multiply(up, normed, up_bias);
      for (std::size_t i = 0; i < wide.size(); ++i) wide[i] = wide[i] / (1 + std::exp(-wide[i])) * factor[i];
      const Row narrow = multiply(down, wide, down_bias);
      for (std::size_t i = 0; i < narrow.size(); ++i) x[m][i] += residual_multiplier * narrow[i];
    }
  }

  const Weights norm = reader.get("model.norm.weight");
  const Weights head = reader.has("lm_head.weight") ? reader.get("lm_head.weight") : embedding;
  for (const Row& row : x) {
    result.logits.push_back(multiply(head, normalised(row, norm, eps)));
    for (double& logit : result.logits.back()) logit /= logits_scaling;
  }
  return result;
}

}  // namespace natscope::test

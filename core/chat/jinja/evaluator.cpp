// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/chat/jinja/evaluator.h"

#include <map>
#include <memory>
#include <optional>

#include "core/base/overloaded.h"
#include "core/chat/jinja/filters.h"
#include "core/chat/jinja/globals.h"
#include "core/chat/jinja/lexer.h"
#include "core/chat/jinja/methods.h"
#include "core/chat/jinja/operators.h"

namespace natscope::jinja {
namespace {

constexpr int deepest_call = 400;

struct Scope {
  std::map<std::string, Value, std::less<>> names;
  std::shared_ptr<Scope> outer;

  [[nodiscard]] const Value* find(std::string_view name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->outer.get()) {
      const auto found = scope->names.find(name);
      if (found != scope->names.end()) return &found->second;
    }
    return nullptr;
  }
};
using ScopePtr = std::shared_ptr<Scope>;

ScopePtr inside(ScopePtr outer) { return std::make_shared<Scope>(Scope{{}, std::move(outer)}); }

enum class Flow { onward, leave_loop, next_turn };

class Evaluator {
 public:
  Evaluator(const Mapping& globals, std::time_t now, Limits limits)
      : scope_(std::make_shared<Scope>()), limits_(limits) {
    const Mapping functions = global_functions(now);
    for (const Mapping* const mapping : {&functions, &globals}) {
      for (const auto& [name, value] : mapping->entries()) scope_->names[name] = value;
    }
    scope_ = inside(scope_);
  }
  ~Evaluator() {
    // A macro holds the scope that holds the macro.
    for (const ScopePtr& scope : macro_scopes_) scope->names.clear();
  }
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  Expected<std::string> run(const Block& block) {
    std::string out;
    NATSCOPE_CHECK(execute(block, scope_, out));
    return out;
  }

 private:
  Expected<void> count_step() {
    if (++steps_ > limits_.steps) return fail(ErrorCode::bad_tokenizer, "the template does not come to an end");
    return {};
  }

  /// What an operation made. Values that are looked up are shared, and cost nothing.
  Expected<void> count_made(const Value& value) {
    made_bytes_ += value.weight();
    if (made_bytes_ > limits_.bytes) return fail(ErrorCode::bad_tokenizer, "the template takes too much memory");
    if (value.depth() > deepest_value && value.function() == nullptr && value.space() == nullptr)
      return fail(ErrorCode::unsupported_tokenizer,
                  "a list or mapping with a function or a namespace in it, or nested too deeply");
    return {};
  }

  /// What an operation is about to go through.
  Expected<void> count_read(const Value& value) {
    read_bytes_ += value.weight();
    if (read_bytes_ > limits_.bytes_read) return fail(ErrorCode::bad_tokenizer, "the template does not come to an end");
    return {};
  }

  Expected<void> count_read(const Arguments& arguments, std::int64_t times = 1) {
    std::int64_t weight = 0;
    for (const Value& value : arguments.positional) weight += value.weight();
    for (const auto& [name, value] : arguments.named) weight += value.weight();
    if (weight > 0 && times > (limits_.bytes_read - read_bytes_) / weight)
      return fail(ErrorCode::bad_tokenizer, "the template does not come to an end");
    read_bytes_ += times * weight;
    return {};
  }

  Expected<void> write(std::string_view text, std::string& out) {
    made_bytes_ += static_cast<std::int64_t>(text.size());
    if (made_bytes_ > limits_.bytes) return fail(ErrorCode::bad_tokenizer, "the template takes too much memory");
    out += text;
    return {};
  }

  // --- statements ------------------------------------------------------------------------------------------------

  Expected<Flow> execute(const Block& block, const ScopePtr& scope, std::string& out) {
    if (++nested_ > deepest_call) return fail(ErrorCode::bad_tokenizer, "blocks and calls nested too deeply");
    auto flow = execute_in_turn(block, scope, out);
    --nested_;
    return flow;
  }

  Expected<Flow> execute_in_turn(const Block& block, const ScopePtr& scope, std::string& out) {
    for (const Statement& statement : block) {
      auto flow = execute(statement, scope, out);
      if (!flow) return at_line(statement.line, std::move(flow).error());
      if (*flow != Flow::onward) return flow;
    }
    return Flow::onward;
  }

  Expected<Flow> execute(const Statement& statement, const ScopePtr& scope, std::string& out) {
    NATSCOPE_CHECK(count_step());
    return std::visit(Overloaded{
                          [&](const Text& node) -> Expected<Flow> {
                            NATSCOPE_CHECK(write(node.text, out));
                            return Flow::onward;
                          },
                          [&](const Output& node) -> Expected<Flow> {
                            NATSCOPE_TRY(const Value value, evaluate(*node.value, scope));
                            NATSCOPE_TRY(const std::string text, printed(value));
                            NATSCOPE_CHECK(write(text, out));
                            return Flow::onward;
                          },
                          [&](const If& node) { return execute_if(node, scope, out); },
                          [&](const For& node) { return execute_for(node, scope, out); },
                          [&](const Set& node) { return execute_set(node, scope); },
                          [&](const SetBlock& node) -> Expected<Flow> {
                            std::string text;
                            NATSCOPE_CHECK(execute(node.body, inside(scope), text));
                            scope->names[node.target] = Value(std::move(text));
                            return Flow::onward;
                          },
                          [&](const Macro& node) -> Expected<Flow> {
                            macro_scopes_.push_back(scope);
                            scope->names[node.name] = macro(node, scope);
                            return Flow::onward;
                          },
                          [&](const Group& node) { return execute(node.body, inside(scope), out); },
                          [](const Break&) -> Expected<Flow> { return Flow::leave_loop; },
                          [](const Continue&) -> Expected<Flow> { return Flow::next_turn; },
                      },
                      statement.node);
  }

  Expected<Flow> execute_if(const If& node, const ScopePtr& scope, std::string& out) {
    for (const auto& [condition, body] : node.branches) {
      NATSCOPE_TRY(const Value value, evaluate(*condition, scope));
      if (value.truth()) return execute(body, scope, out);
    }
    return execute(node.otherwise, scope, out);
  }

  Expected<void> assign(const std::vector<std::string>& targets, const Value& value, Scope& scope) const {
    if (targets.size() == 1) {
      scope.names[targets.front()] = value;
      return {};
    }
    NATSCOPE_TRY(List parts, items_of(value));
    if (parts.size() != targets.size()) {
      return fail(ErrorCode::bad_tokenizer,
                  std::to_string(parts.size()) + " values for " + std::to_string(targets.size()) + " names");
    }
    for (std::size_t i = 0; i < targets.size(); ++i) scope.names[targets[i]] = std::move(parts[i]);
    return {};
  }

  Expected<Flow> execute_set(const Set& node, const ScopePtr& scope) {
    NATSCOPE_TRY(Value value, evaluate(*node.value, scope));
    if (node.member.empty()) {
      NATSCOPE_CHECK(assign(node.targets, value, *scope));
      return Flow::onward;
    }
    const Value* const target = scope->find(node.targets.front());
    Value::Namespace* const space = target != nullptr ? target->space() : nullptr;
    if (space == nullptr) return fail(ErrorCode::bad_tokenizer, "“" + node.targets.front() + "” is not a namespace");
    NATSCOPE_CHECK(check_member(value));
    space->members.set(node.member, std::move(value));
    return Flow::onward;
  }

  Expected<Flow> execute_for(const For& node, const ScopePtr& scope, std::string& out) {
    NATSCOPE_TRY(const Value over, evaluate(*node.items, scope));
    NATSCOPE_CHECK(count_read(over));
    NATSCOPE_TRY(List items, items_of(over));
    if (node.condition) {
      List kept;
      for (const Value& item : items) {
        NATSCOPE_CHECK(count_step());
        const ScopePtr turn = inside(scope);
        NATSCOPE_CHECK(assign(node.targets, item, *turn));
        NATSCOPE_TRY(const Value passes, evaluate(*node.condition, turn));
        if (passes.truth()) kept.push_back(item);
      }
      items = std::move(kept);
    }
    if (items.empty()) return execute(node.otherwise, inside(scope), out);
    for (std::size_t i = 0; i < items.size(); ++i) {
      NATSCOPE_CHECK(count_step());
      const ScopePtr turn = inside(scope);
      turn->names["loop"] = loop_value(items, i);
      NATSCOPE_CHECK(assign(node.targets, items[i], *turn));
      NATSCOPE_TRY(const Flow flow, execute(node.body, turn, out));
      if (flow == Flow::leave_loop) break;
    }
    return Flow::onward;
  }

  static Value loop_value(const List& items, std::size_t turn) {
    const auto index = static_cast<std::int64_t>(turn);
    const auto length = static_cast<std::int64_t>(items.size());
    Mapping loop;
    loop.set("index", Value(index + 1));
    loop.set("index0", Value(index));
    loop.set("revindex", Value(length - index));
    loop.set("revindex0", Value(length - index - 1));
    loop.set("first", Value(index == 0));
    loop.set("last", Value(index + 1 == length));
    loop.set("length", Value(length));
    loop.set("depth", Value(std::int64_t{1}));
    loop.set("depth0", Value(std::int64_t{0}));
    loop.set("previtem", turn > 0 ? items[turn - 1] : Value::undefined("previtem"));
    loop.set("nextitem", turn + 1 < items.size() ? items[turn + 1] : Value::undefined("nextitem"));
    loop.set("cycle", Value::function([turn](const Arguments& arguments) -> Expected<Value> {
               if (arguments.positional.empty()) return fail(ErrorCode::bad_tokenizer, "loop.cycle of nothing");
               return arguments.positional[turn % arguments.positional.size()];
             }));
    return Value(std::move(loop));
  }

  Value macro(const Macro& node, const ScopePtr& scope) {
    return Value::function([this, &node, scope](const Arguments& arguments) -> Expected<Value> {
      std::vector<std::string_view> names;
      for (const MacroParameter& parameter : node.parameters) names.push_back(parameter.name);
      NATSCOPE_CHECK(arguments.check("the macro " + node.name, names));
      const ScopePtr body = inside(scope);
      for (std::size_t i = 0; i < node.parameters.size(); ++i) {
        const MacroParameter& parameter = node.parameters[i];
        const Value* const given = arguments.find(i, parameter.name);
        Value value = given != nullptr ? *given : Value::undefined(parameter.name);
        if (given == nullptr && parameter.otherwise) {
          NATSCOPE_TRY(value, evaluate(*parameter.otherwise, body));
        }
        body->names[parameter.name] = std::move(value);
      }
      std::string text;
      NATSCOPE_CHECK(execute(node.body, body, text));
      return Value(std::move(text));
    });
  }

  // --- expressions -----------------------------------------------------------------------------------------------

  Expected<Value> evaluate(const Expression& expression, const ScopePtr& scope) {
    NATSCOPE_CHECK(count_step());
    if (++nested_ > deepest_call) return fail(ErrorCode::bad_tokenizer, "calls nested too deeply");
    auto value = std::visit([&](const auto& node) { return evaluate(node, scope); }, expression.node);
    --nested_;
    if (!value) return at_line(expression.line, std::move(value).error());
    const auto& node = expression.node;
    const bool is_looked_up = std::holds_alternative<Name>(node) || std::holds_alternative<Literal>(node) ||
                              std::holds_alternative<Attribute>(node) || std::holds_alternative<Subscript>(node);
    if (is_looked_up) return value;
    auto counted = count_made(*value);
    if (!counted) return at_line(expression.line, std::move(counted).error());
    return value;
  }

  /// None of an expression that is not there.
  Expected<Value> evaluate(const ExpressionPtr& expression, const ScopePtr& scope) {
    if (!expression) return Value();
    return evaluate(*expression, scope);
  }

  Expected<Value> evaluate(const Literal& node, const ScopePtr&) { return node.value; }

  Expected<Value> evaluate(const Name& node, const ScopePtr& scope) {
    if (const Value* const value = scope->find(node.name)) return *value;
    if (node.name == "joiner" || node.name == "cycler" || node.name == "lipsum" || node.name == "caller")
      return fail(ErrorCode::unsupported_tokenizer, node.name);
    return Value::undefined(node.name);
  }

  Expected<Value> evaluate(const ListDisplay& node, const ScopePtr& scope) {
    List items;
    for (const ExpressionPtr& item : node.items) {
      NATSCOPE_TRY(Value value, evaluate(*item, scope));
      items.push_back(std::move(value));
    }
    return Value(std::move(items));
  }

  Expected<Value> evaluate(const MappingDisplay& node, const ScopePtr& scope) {
    Mapping mapping;
    for (const auto& [key, member] : node.entries) {
      NATSCOPE_TRY(const Value name, evaluate(*key, scope));
      if (name.text() == nullptr)
        return fail(ErrorCode::unsupported_tokenizer, "a mapping with a key that is not text");
      NATSCOPE_TRY(Value value, evaluate(*member, scope));
      mapping.set(*name.text(), std::move(value));
    }
    return Value(std::move(mapping));
  }

  Expected<Value> evaluate(const Attribute& node, const ScopePtr& scope) {
    NATSCOPE_TRY(const Value of, evaluate(*node.of, scope));
    return attribute_of(of, node.name);
  }

  Expected<Value> evaluate(const Subscript& node, const ScopePtr& scope) {
    NATSCOPE_TRY(const Value of, evaluate(*node.of, scope));
    NATSCOPE_TRY(const Value index, evaluate(*node.index, scope));
    if (of.text() != nullptr) NATSCOPE_CHECK(count_read(of));
    return item_of(of, index);
  }

  Expected<Value> evaluate(const Slice& node, const ScopePtr& scope) {
    NATSCOPE_TRY(const Value of, evaluate(*node.of, scope));
    NATSCOPE_TRY(const Value first, evaluate(node.first, scope));
    NATSCOPE_TRY(const Value last, evaluate(node.last, scope));
    NATSCOPE_TRY(const Value step, evaluate(node.step, scope));
    NATSCOPE_CHECK(count_read(of));
    return sliced(of, first, last, step);
  }

  Expected<Arguments> evaluate(const std::vector<CallArgument>& given, const ScopePtr& scope) {
    Arguments arguments;
    for (const CallArgument& argument : given) {
      NATSCOPE_TRY(Value value, evaluate(*argument.value, scope));
      if (argument.name.empty()) {
        arguments.positional.push_back(std::move(value));
      } else {
        arguments.named.emplace_back(argument.name, std::move(value));
      }
    }
    return arguments;
  }

  Expected<Value> evaluate(const Call& node, const ScopePtr& scope) {
    NATSCOPE_TRY(const Value callee, evaluate(*node.callee, scope));
    NATSCOPE_TRY(const Arguments arguments, evaluate(node.arguments, scope));
    NATSCOPE_CHECK(count_read(callee));
    NATSCOPE_CHECK(count_read(arguments));
    if (callee.function() != nullptr) return (*callee.function())(arguments);
    if (callee.is_undefined())
      return fail(ErrorCode::unsupported_tokenizer, "a call of “" + callee.undefined_name() + "”");
    return fail(ErrorCode::bad_tokenizer, "a call of " + callee.kind());
  }

  Expected<Value> evaluate(const Filter& node, const ScopePtr& scope) {
    NATSCOPE_TRY(const Value of, evaluate(*node.of, scope));
    NATSCOPE_TRY(const Arguments arguments, evaluate(node.arguments, scope));
    NATSCOPE_CHECK(count_read(of));
    // What is done for each item goes through the arguments as often.
    const std::int64_t times = goes_item_by_item(node.name) ? most_items(of) : 1;
    NATSCOPE_CHECK(count_read(arguments, times));
    return apply_filter(node.name, of, arguments);
  }

  Expected<Value> evaluate(const Test& node, const ScopePtr& scope) {
    NATSCOPE_TRY(const Value of, evaluate(*node.of, scope));
    NATSCOPE_TRY(const Arguments arguments, evaluate(node.arguments, scope));
    NATSCOPE_CHECK(count_read(of));
    NATSCOPE_CHECK(count_read(arguments));
    NATSCOPE_TRY(const bool passes, apply_test(node.name, of, arguments));
    return Value(passes);
  }

  Expected<Value> evaluate(const Unary& node, const ScopePtr& scope) {
    NATSCOPE_TRY(const Value operand, evaluate(*node.operand, scope));
    return unary(node.op, operand);
  }

  Expected<Value> evaluate(const Binary& node, const ScopePtr& scope) {
    NATSCOPE_TRY(Value left, evaluate(*node.left, scope));
    // The value that decides, as Python has it, and not whether it is true.
    if (node.op == BinaryOperator::both || node.op == BinaryOperator::either) {
      if (left.truth() == (node.op == BinaryOperator::either)) return left;
      return evaluate(*node.right, scope);
    }
    NATSCOPE_TRY(const Value right, evaluate(*node.right, scope));
    return binary(node.op, left, right);
  }

  Expected<Value> evaluate(const Comparison& node, const ScopePtr& scope) {
    NATSCOPE_TRY(Value left, evaluate(*node.first, scope));
    for (const auto& [op, next] : node.rest) {
      NATSCOPE_TRY(Value right, evaluate(*next, scope));
      NATSCOPE_CHECK(count_read(left));
      NATSCOPE_CHECK(count_read(right));
      NATSCOPE_TRY(const bool holds, compared(op, left, right));
      if (!holds) return Value(false);
      left = std::move(right);
    }
    return Value(true);
  }

  Expected<Value> evaluate(const Conditional& node, const ScopePtr& scope) {
    NATSCOPE_TRY(const Value condition, evaluate(*node.condition, scope));
    if (condition.truth()) return evaluate(*node.then, scope);
    if (node.otherwise) return evaluate(*node.otherwise, scope);
    return Value::undefined("else");
  }

  ScopePtr scope_;
  Limits limits_;
  std::vector<ScopePtr> macro_scopes_;
  std::int64_t steps_ = 0;
  std::int64_t made_bytes_ = 0;
  std::int64_t read_bytes_ = 0;
  int nested_ = 0;
};

}  // namespace

Expected<std::string> write_template(const Block& block, const Mapping& globals, std::time_t now, Limits limits) {
  return Evaluator(globals, now, limits).run(block);
}

}  // namespace natscope::jinja

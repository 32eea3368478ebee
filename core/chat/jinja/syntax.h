// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/chat/jinja/value.h"

/// A chat template as a tree: what parse_template makes of a text and write_template goes through.
namespace natscope::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<const Expression>;

struct CallArgument {
  std::string name;  ///< empty: positional
  ExpressionPtr value;
};

struct Literal {
  Value value;
};
struct Name {
  std::string name;
};
struct ListDisplay {
  std::vector<ExpressionPtr> items;
};
struct MappingDisplay {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
};
struct Attribute {  ///< of.name
  ExpressionPtr of;
  std::string name;
};
struct Subscript {  ///< of[index]
  ExpressionPtr of;
  ExpressionPtr index;
};
struct Slice {  ///< of[first:last:step], each of the three may be null
  ExpressionPtr of;
  ExpressionPtr first;
  ExpressionPtr last;
  ExpressionPtr step;
};
struct Call {
  ExpressionPtr callee;
  std::vector<CallArgument> arguments;
};
struct Filter {  ///< of | name(arguments)
  ExpressionPtr of;
  std::string name;
  std::vector<CallArgument> arguments;
};
struct Test {  ///< of is name(arguments)
  ExpressionPtr of;
  std::string name;
  std::vector<CallArgument> arguments;
};

enum class UnaryOperator { negate, plus, logical_not };
struct Unary {
  UnaryOperator op;
  ExpressionPtr operand;
};

enum class BinaryOperator {
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  remainder,
  power,
  concatenate,
  both,
  either
};
struct Binary {
  BinaryOperator op;
  ExpressionPtr left;
  ExpressionPtr right;
};

enum class Comparator { equal, not_equal, less, less_or_equal, greater, greater_or_equal, in, not_in };
struct Comparison {  ///< first op second op third …, as Python chains them
  ExpressionPtr first;
  std::vector<std::pair<Comparator, ExpressionPtr>> rest;
};
struct Conditional {  ///< then if condition else otherwise (which may be null)
  ExpressionPtr condition;
  ExpressionPtr then;
  ExpressionPtr otherwise;
};

struct Expression {
  std::variant<Literal, Name, ListDisplay, MappingDisplay, Attribute, Subscript, Slice, Call, Filter, Test, Unary,
               Binary, Comparison, Conditional>
      node;
  int line = 0;
  int depth = 0;  ///< of the tree below it: bounded, or taking it apart would need too much stack
};

struct Statement;
using Block = std::vector<Statement>;

struct Text {
  std::string text;
};
struct Output {
  ExpressionPtr value;
};
struct If {
  std::vector<std::pair<ExpressionPtr, Block>> branches;
  Block otherwise;
};
struct For {
  std::vector<std::string> targets;  ///< several take an item apart
  ExpressionPtr items;
  ExpressionPtr condition;  ///< may be null
  Block body;
  Block otherwise;
};
struct Set {
  std::vector<std::string> targets;
  std::string member;  ///< of the only target, a namespace; empty: the name itself is set
  ExpressionPtr value;
};
struct SetBlock {  ///< what the body writes becomes the value
  std::string target;
  Block body;
};
struct MacroParameter {
  std::string name;
  ExpressionPtr otherwise;  ///< null: undefined
};
struct Macro {
  std::string name;
  std::vector<MacroParameter> parameters;
  Block body;
};
struct Group {  ///< a body with names of its own: {% generation %}
  Block body;
};
struct Break {};
struct Continue {};

struct Statement {
  std::variant<Text, Output, If, For, Set, SetBlock, Macro, Group, Break, Continue> node;
  int line = 0;
};

}  // namespace natscope::jinja

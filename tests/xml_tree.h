// SPDX-License-Identifier: MIT
// Well-formed XML as a tree, read by expat.
#pragma once

#include <expat.h>

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace farcall::test {

struct XmlNode {
    std::string name;
    std::map<std::string, std::string> attributes;
    std::string text;  ///< its own and that of all in it, in their order
    std::vector<XmlNode> children;

    /// This node and all in it.
    void each(const std::function<void(const XmlNode&)>& visit) const {
        visit(*this);
        for (const XmlNode& child : children)
            child.each(visit);
    }
    /// Those that `wanted` says yes to.
    std::vector<const XmlNode*> all(const std::function<bool(const XmlNode&)>& wanted) const {
        std::vector<const XmlNode*> found;
        each([&](const XmlNode& node) {
            if (wanted(node)) found.push_back(&node);
        });
        return found;
    }
    std::vector<const XmlNode*> named(const std::string& tag) const {
        return all([&](const XmlNode& node) { return node.name == tag; });
    }
    /// Those with this word in their class.
    std::vector<const XmlNode*> of_class(const std::string& word) const {
        return all([&](const XmlNode& node) {
            return (" " + node.attribute("class") + " ").find(" " + word + " ") != std::string::npos;
        });
    }
    std::string attribute(const std::string& key) const {
        const auto found = attributes.find(key);
        return found == attributes.end() ? "" : found->second;
    }
};

/// The root. Throws std::runtime_error with line and reason for what is not well-formed.
inline XmlNode parse_xml(const std::string& text) {
    struct State {
        XmlNode top;
        std::vector<XmlNode*> open{&top};
    } state;
    const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(XML_ParserCreate("UTF-8"),
                                                                              &XML_ParserFree);
    XML_SetUserData(parser.get(), &state);
    XML_SetElementHandler(
        parser.get(),
        [](void* data, const char* name, const char** attributes) {
            auto& open = static_cast<State*>(data)->open;
            XmlNode& node = open.back()->children.emplace_back();
            node.name = name;
            for (; *attributes != nullptr; attributes += 2)
                node.attributes[attributes[0]] = attributes[1];
            open.push_back(&node);
        },
        [](void* data, const char*) { static_cast<State*>(data)->open.pop_back(); });
    XML_SetCharacterDataHandler(parser.get(), [](void* data, const char* part, int length) {
        for (XmlNode* node : static_cast<State*>(data)->open)
            node->text.append(part, static_cast<size_t>(length));
    });
    if (XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), 1) != XML_STATUS_OK)
        throw std::runtime_error("line " + std::to_string(XML_GetCurrentLineNumber(parser.get())) + ": " +
                                 XML_ErrorString(XML_GetErrorCode(parser.get())));
    return std::move(state.top.children.at(0));
}

}  // namespace farcall::test

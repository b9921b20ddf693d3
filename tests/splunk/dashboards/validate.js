// Checks dashboards with Splunk's own validator, in Node with a DOM by jsdom. Reads lines {view: definition} from standard input and answers each
// with a line {errors: {view: […]}, schema: {…}}: the errors, and what the own checks of test_definitions.py need to know of the preset.
'use strict';

require.extensions['.css'] = () => {};
const { JSDOM } = require('jsdom');

const dom = new JSDOM('<!doctype html><html><body></body></html>', { url: 'http://localhost/', pretendToBeVisual: true });
const own = new Set(['navigator', 'Event', 'CustomEvent']);
for (const name of Object.getOwnPropertyNames(dom.window)) {
    if (!['window', 'self'].includes(name) && (!(name in global) || own.has(name))) {
        Object.defineProperty(global, name, {
            configurable: true, get: () => dom.window[name], set: (value) => { dom.window[name] = value; },
        });
    }
}
const silent = { matches: false, addListener() {}, removeListener() {}, addEventListener() {}, removeEventListener() {} };
global.window = global.self = dom.window;
global.matchMedia = dom.window.matchMedia = () => silent;
global.ResizeObserver = dom.window.ResizeObserver = class { observe() {} unobserve() {} disconnect() {} };
global.Worker = class { postMessage() {} terminate() {} };
dom.window.URL.createObjectURL = () => 'blob:none';
// The editor component puts itself on the global object and looks for itself on window.
Object.defineProperty(dom.window, 'ace', { configurable: true, get: () => globalThis.ace, set: (v) => { globalThis.ace = v; } });

const plain = (module) => module.default || module;
const preset = plain(require('@splunk/dashboard-presets/EnterpriseViewOnlyPreset'));
const { DashboardValidator } = require('@splunk/dashboard-validation');
const { createSchemaBasedOnPresets } = require('@splunk/dashboard-definition');
const { migrateToTabsLayout } = require('@splunk/dashboard-utils');

const validator = new DashboardValidator();
const wrong = validator.setSchema(createSchemaBasedOnPresets(preset));
if (wrong) throw wrong;

// The dropdown's schema is alternatives; for the names of its options all of them count.
const flat = (schema) => (schema?.extend?.anyOf ? Object.assign({}, ...schema.extend.anyOf.map((one) => one.properties)) : schema);
const optionsOf = (items) => Object.fromEntries(
    Object.entries(items).map(([type, item]) => [type, flat(item.config?.optionsSchema || item.schema || null)]),
);
const schema = {
    visualizations: optionsOf(preset.visualizations),
    dataSources: optionsOf(preset.dataSources),
    inputs: optionsOf(preset.inputs),
    eventHandlers: Object.keys(preset.eventHandlers),
    chains: Object.entries(preset.dataSources).filter(([, d]) => d.config?.isChainEnabled).map(([type]) => type),
};
const check = (definition) => {
    const migrated = migrateToTabsLayout({ definition });
    return migrated.success
        ? (validator.validate(migrated.definition) || []).map((e) => `${e.instancePath || ''} ${e.message} ${JSON.stringify(e.params || {})}`)
        : [migrated.reason];
};
const lines = require('readline').createInterface({ input: process.stdin });
lines.on('line', (line) => {
    const errors = Object.fromEntries(Object.entries(JSON.parse(line)).map(([view, definition]) => [view, check(definition)]));
    process.stdout.write(JSON.stringify({ errors, schema }) + '\n');
});
// timers of the DOM would go on
lines.on('close', () => process.exit(0));

// Drives Chromium for the tests: reads one JSON command a line from standard input, answers with one JSON line.
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const readline = require('readline');
const { chromium } = require('playwright-core');

const FLAGS = [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
    // no name and no address but the test's own server leads anywhere, whatever way a page asks for it
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];
const home = fs.mkdtempSync(path.join(os.tmpdir(), 'esatls-browser-'));
let context;
let page;
let origin = '';
const problems = [];
const strayed = [];

async function start() {
    context = await chromium.launchPersistentContext(path.join(home, 'profile'), {
        executablePath: process.env.ESATLS_CHROMIUM || '/usr/bin/chromium',
        args: FLAGS,
        env: { ...process.env, HOME: home },
        viewport: { width: 1440, height: 900 },
        reducedMotion: 'reduce',
        timezoneId: 'UTC',
        locale: 'en-US',
    });
    page = context.pages()[0] || (await context.newPage());
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('dialog', (dialog) => { problems.push('dialog: ' + dialog.message()); dialog.dismiss(); });
    page.on('websocket', (socket) => { if (!socket.url().startsWith(origin.replace('http', 'ws'))) strayed.push(socket.url()); });
    // Nothing that a page shows may reach another machine: the rules of the host resolver keep it, here it is noticed. Intercepting requests
    // would switch the cache off, and the page's script, of 14 MB, would be compiled for each view anew.
    page.on('request', (request) => {
        const url = request.url();
        if (!url.startsWith(origin) && !url.startsWith('data:') && !url.startsWith('blob:')) strayed.push(url);
    });
}

const commands = {
    async open({ url, width, height }) {
        origin = new URL(url).origin;
        await page.setViewportSize({ width, height });
        await page.goto(url);
        return null;
    },
    async resize({ width }) { await page.setViewportSize({ ...page.viewportSize(), width }); return null; },
    // Waits until an expression of the page is true; the tests wait for contents, never for a time.
    async wait({ expression, timeout }) {
        await page.waitForFunction(expression, null, { timeout: timeout || 90000, polling: 50 });
        return null;
    },
    async click({ selector }) { await page.locator(selector).first().click({ timeout: 90000 }); return null; },
    async fill({ selector, text }) { await page.locator(selector).first().fill(text, { timeout: 90000 }); return null; },
    async press({ key }) { await page.keyboard.press(key); return null; },
    async evaluate({ expression }) { return page.evaluate(expression); },
    async screenshot({ path: file }) { await page.screenshot({ path: file, animations: 'disabled' }); return null; },
    async address() { return page.url(); },
    async problems() { return { problems: problems.splice(0), strayed: strayed.splice(0) }; },
};

(async () => {
    await start();
    process.stdout.write(JSON.stringify({ result: 'ready' }) + '\n');
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const { command, ...args } = JSON.parse(line);
        try {
            process.stdout.write(JSON.stringify({ result: await commands[command](args) }) + '\n');
        } catch (error) {
            process.stdout.write(JSON.stringify({ error: String(error) }) + '\n');
        }
    }
    await context.close();
    fs.rmSync(home, { recursive: true, force: true });
})();

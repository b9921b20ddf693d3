import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.concurrent.CountDownLatch;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.painless.PainlessPlugin;
import org.opensearch.plugins.ExtensiblePlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.plugins.ScriptPlugin;
import org.opensearch.script.ScriptContext;
import org.opensearch.script.ScriptEngine;

/**
 * One search node on the loopback address, made of the jars alone: {@code java -cp 'lib/*' Server.java HOME PORT}.
 * It ends when its standard input is closed, so that no node outlives the test run that started it.
 */
public final class Server extends Node {
    private Server(Environment environment, Collection<Class<? extends Plugin>> plugins) {
        super(environment, plugins, true);
    }

    /** Painless with what other modules add to it, as in a distribution: the ingest processors that scripts may call. */
    public static final class Painless extends Plugin implements ScriptPlugin {
        private final PainlessPlugin own = new PainlessPlugin();

        public Painless() {
            own.loadExtensions(new ExtensiblePlugin.ExtensionLoader() {
                @Override
                public <T> List<T> loadExtensions(Class<T> type) {
                    return ServiceLoader.load(type).stream().map(ServiceLoader.Provider::get).toList();
                }
            });
        }

        @Override
        public ScriptEngine getScriptEngine(Settings settings, Collection<ScriptContext<?>> contexts) {
            return own.getScriptEngine(settings, contexts);
        }
    }

    public static void main(String[] args) throws Exception {
        Path home = Path.of(args[0]).toAbsolutePath();
        Settings settings = Settings.builder()
            .put("path.home", home.toString())
            .put("cluster.name", "esatls-test")
            .put("node.name", "test")
            .put("network.host", "127.0.0.1")
            .put("http.port", args[1])
            .put("transport.port", "0")
            .put("discovery.type", "single-node")
            .putList("node.roles", "cluster_manager", "data", "ingest")
            .put("http.max_content_length", "64mb")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            // tests install templates and pipelines many times; the limit guards a shared cluster, not a test
            .put("script.max_compilations_rate", "10000/1m")
            .build();
        Environment environment = InternalSettingsPreparer.prepareEnvironment(
            settings, Map.of(), home.resolve("config"), () -> "test");
        List<Class<? extends Plugin>> plugins = List.of(
            org.opensearch.transport.Netty4Plugin.class,
            org.opensearch.ingest.common.IngestCommonPlugin.class,
            Painless.class,
            org.opensearch.script.mustache.MustachePlugin.class,
            org.opensearch.index.reindex.ReindexPlugin.class,
            org.opensearch.index.mapper.MapperExtrasPlugin.class,
            org.opensearch.analysis.common.CommonAnalysisPlugin.class);
        Server node = new Server(environment, plugins);
        node.start();
        System.out.println("started");
        while (System.in.read() >= 0) {
            // wait for the end of input
        }
        node.close();
        node.awaitClose(10, java.util.concurrent.TimeUnit.SECONDS);
        System.exit(0);
    }

    @Override
    protected void configureNodeAndClusterIdStateListener(org.opensearch.cluster.service.ClusterService clusterService) {
        // the stock listener needs the distribution's log configuration
    }
}
